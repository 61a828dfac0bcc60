"""What processes cost: CPU seconds and memory, from /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
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


def kernel_seconds(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds that the processes have spent in the kernel."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.cpu_times().system
    return total


def ran_seconds(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds by the scheduler's clock, which counts nanoseconds and not hundredths; of threads that still are."""
    total = 0
    for process in processes:
        for thread in Path(f"/proc/{process.pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def pss_mb(pid: int) -> float:
    """Proportional set size: memory of its own, and its share of what it shares."""
    return float(psutil.Process(pid).memory_full_info().pss) / _MB


def rss_mb(processes: Iterable[psutil.Process]) -> float:
    """Resident memory of the processes in all; what they share counts for each."""
    return sum(float(process.memory_info().rss) for process in processes) / _MB
