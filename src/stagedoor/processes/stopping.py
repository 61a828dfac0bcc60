"""End a process in steps: a signal and a timeout each."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.processes.child import Child


@dataclass(frozen=True, slots=True)
class Step:
    """Send `signum`, then wait up to `timeout_seconds` before the next step."""

    signum: signal.Signals
    timeout_seconds: float


async def stop(child: Child, steps: Sequence[Step]) -> int | None:
    """Take the steps until the process ends; after the last one it is killed. Returns as `Child.wait`."""
    ended = asyncio.ensure_future(child.wait())
    try:
        for step in steps:
            child.send(step.signum)
            # Not asyncio.timeout: this often runs in a task that was cancelled, where Python 3.11.2 (Debian 12) takes
            # its end for a second cancellation (gh-102780), and the process would live on.
            if (await asyncio.wait([ended], timeout=step.timeout_seconds))[0]:
                return ended.result()
        child.send(signal.SIGKILL)
        return await ended
    finally:
        ended.cancel()
