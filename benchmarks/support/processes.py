"""What processes cost: CPU seconds and memory, from /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

import psutil

_MB: Final = 1024 * 1024


def tree(pid: int, without: Iterable[int] = ()) -> list[psutil.Process]:
    """A process and its descendants; those in `without` are left out with theirs."""
    left_out = set(without)
    if pid in left_out:
        return []
    try:
        root = psutil.Process(pid)
        children = root.children()
    except psutil.NoSuchProcess:
        return []
    return [root, *(process for child in children for process in tree(child.pid, left_out))]


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds that the processes have used in all, in user space and in the kernel."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def pss_mb(pid: int) -> float:
    """Proportional set size: memory of its own, and its share of what it shares."""
    return float(psutil.Process(pid).memory_full_info().pss) / _MB
