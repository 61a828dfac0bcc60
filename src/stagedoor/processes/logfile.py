"""The log of a detached process: bounded in size, and readable from where one life of it began."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def size(path: Path) -> int:
    """Bytes in the log; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def bound(path: Path, limit_bytes: int) -> bool:
    """Move a log that outgrew the limit to `<name>.1`, over the one before; whether it did.

    Copies and truncates: the process holds the file open for appending and goes on at its new end. A line
    written between the two steps is lost; a rename would lose all lines until the process restarts.

    Raises:
        OSError: The disk is full, or the folder is gone.
    """
    if size(path) <= limit_bytes:
        return False
    older = path.with_name(path.name + ".1")
    shutil.copyfile(path, older)
    older.chmod(0o600)
    os.truncate(path, 0)
    return True


def written_since(path: Path, offset: int, limit_bytes: int = 64 * 1024) -> str:
    """What was written after `offset`, at most the last `limit_bytes`; all of it when truncated since."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            begin = offset if offset <= end else 0
            file.seek(max(begin, end - limit_bytes))
            return file.read(limit_bytes).decode("utf-8", "replace")
    except OSError:
        return ""
