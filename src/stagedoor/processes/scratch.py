"""A temporary folder that is removed however its block ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def scratch_folder(parent: Path, prefix: str) -> AsyncGenerator[Path]:
    """An empty folder in `parent`, private to this user; removed with all that is left in it.

    Raises:
        OSError: It cannot be made.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        await asyncio.to_thread(remove_tree, folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is there, with read-only folders in it too. Blocks."""
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
