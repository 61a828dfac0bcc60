"""The disk's limit: how often a second it makes a small write durable."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_PAGE: Final = bytes(4096)
_PAGES: Final = 1024


def durable_writes_per_second(folder: Path, seconds: float = 1.0) -> float:
    """`fdatasync` after each write of one page into a file that has its size already."""
    path = folder / "durable-writes"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for page in range(_PAGES):
            os.pwrite(file, _PAGE, page * len(_PAGE))
        os.fsync(file)
        done = 0
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            os.pwrite(file, _PAGE, done % _PAGES * len(_PAGE))
            os.fdatasync(file)
            done += 1
        return done / elapsed
    finally:
        os.close(file)
        path.unlink()
