"""The check for space on the data folder's disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stagedoor.app.filesystem import NEXT, doubts_about, kind_of
from stagedoor.doctor.result import CheckResult, broken, ok, warning

CHECK = "disk"
WARN_BELOW: Final = 1 << 30
BROKEN_BELOW: Final = 100 << 20


def check(folder: Path) -> CheckResult:
    """Look at the file system that holds, or will hold, the data folder."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return judge(folder, shutil.disk_usage(existing).free, _doubts(folder, existing))


def _doubts(folder: Path, existing: Path) -> Sequence[str]:
    """About the folder; about its file system alone while there is no folder."""
    kind = kind_of(existing)
    return doubts_about(folder, kind) if existing == folder else doubts_about(folder, kind)[:1]


def judge(folder: Path, free: int, doubts: Sequence[str] = ()) -> CheckResult:
    """The finding for so many free bytes, and for what is not to be trusted of the file system."""
    sentence = f"{_amount(free)} are free for the data folder {folder}."
    if free < BROKEN_BELOW:
        return broken(
            CHECK, sentence, "Free some space now: a full disk stops the database and loses LiveKit's events."
        )
    if free < WARN_BELOW:
        return warning(CHECK, sentence, "Free some space, or move the data folder with --data-dir.")
    if doubts:
        return warning(CHECK, " ".join([sentence, *doubts]), NEXT)
    return ok(CHECK, sentence)


def _amount(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= WARN_BELOW else f"{size / (1 << 20):.0f} MiB"
