"""End a process in steps, each with its own patience."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.workers.child import Child


@dataclass(frozen=True, slots=True)
class Step:
    """Send `signum`, then wait up to `patience_seconds` before the next step."""

    signum: signal.Signals
    patience_seconds: float


async def stop(child: Child, steps: Sequence[Step]) -> int | None:
    """Take the steps until the process ends; after the last one it is killed. Answers as `Child.wait`."""
    for step in steps:
        child.send(step.signum)
        try:
            async with asyncio.timeout(step.patience_seconds):
                return await child.wait()
        except TimeoutError:
            continue
    child.send(signal.SIGKILL)
    return await child.wait()
