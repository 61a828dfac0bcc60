"""Process identity from `/proc`: which process it is, and what it runs.

A process id alone is not an identity, since the kernel reuses it; together with the process's start time it names
one process until the machine restarts.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One living process.

    Attributes:
        pid: Its process id.
        started_ticks: When it began, in clock ticks since the machine started (proc(5), field 22); 0 where
            there is no `/proc`.
        boot_id: Which start of the machine that was; ticks and ids begin again with each. Empty as above.
        executable: The program it runs, None when that may not be read; ends in ` (deleted)` when the file
            was replaced meanwhile.
        argv: Its arguments.
    """

    pid: int
    started_ticks: int
    boot_id: str
    executable: str | None
    argv: tuple[str, ...]

    def is_same(self, pid: int, started_ticks: int, boot_id: str) -> bool:
        """Whether this is the process that was recorded with these three values."""
        return (self.pid, self.started_ticks, self.boot_id) == (pid, started_ticks, boot_id)


def inspect(pid: int) -> ProcessInfo | None:
    """The living process `pid`, None when there is none; one that ended and was not reaped does not live."""
    folder = _PROC / str(pid)
    try:
        stat = (folder / "stat").read_text("utf-8", "replace")
        # The name in parentheses may hold spaces and parentheses itself, so count from the last one.
        fields = stat[stat.rindex(")") + 2 :].split()
        state, started_ticks = fields[0], int(fields[19])
        arguments = (folder / "cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    if state in "ZX":
        return None
    try:
        executable = os.readlink(folder / "exe")
    except OSError:
        executable = None
    argv = tuple(part.decode("utf-8", "surrogateescape") for part in arguments.split(b"\0")[:-1])
    return ProcessInfo(pid, started_ticks, _boot_id(), executable, argv)


def running_with(arguments: tuple[str, ...]) -> list[ProcessInfo]:
    """All living processes of this user whose arguments end in `arguments`."""
    found: list[ProcessInfo] = []
    for pid in all_pids():
        info = inspect(pid)
        if info is not None and info.argv[-len(arguments) :] == arguments and _is_mine(pid):
            found.append(info)
    return found


def all_pids() -> list[int]:
    """Every process id there is now; empty where there is no `/proc`."""
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    except OSError:
        return []


def _is_mine(pid: int) -> bool:
    try:
        return (_PROC / str(pid)).stat().st_uid == os.geteuid()
    except OSError:
        return False


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def open_files(pid: int) -> set[str]:
    """What the descriptors of process `pid` point to, such as a path or `socket:[inode]`.

    Empty for a process that is gone or is another user's. A descriptor that is closed during the reading is left out.
    """
    found: set[str] = set()
    folder = _PROC / str(pid) / "fd"
    with contextlib.suppress(OSError):
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.add(os.readlink(folder / fd))
    return found
