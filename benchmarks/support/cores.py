"""Which core serves and which one makes the load, so that neither takes the other's time."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_ALLOWED: Final = sorted(os.sched_getaffinity(0))

SERVER: Final = _ALLOWED[0]
"""Stagedoor, its rivals and their databases run here, one at a time under load."""

LOAD: Final = _ALLOWED[-1]
"""The load generator runs here; the same core where there is only one."""


@contextmanager
def on_core(core: int) -> Generator[None]:
    """Processes that are started inside the block stay on `core`, and so do their children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
