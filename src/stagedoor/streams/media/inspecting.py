"""Looks at a URL in a worker process, and waits for what it reports."""

from __future__ import annotations

import asyncio
from typing import Final

from stagedoor.streams.media.metrics import MEDIA_CRASHES
from stagedoor.streams.media.protocol import Ended, Inspect, Inspected, Report
from stagedoor.streams.media.spawner import Spawner
from stagedoor.streams.media.worker import Worker

_GRACE_SECONDS: Final = 5.0
"""How much later than it is ordered to a worker may report; then it hangs."""


async def inspect(spawner: Spawner, order: Inspect) -> Inspected:
    """What is at a URL. An `Inspected.failure` with the code `worker_failed` says that it could not be looked at."""
    done: asyncio.Future[Inspected] = asyncio.get_running_loop().create_future()

    def on_report(report: Report) -> None:
        if isinstance(report, Inspected) and not done.done():
            done.set_result(report)

    try:
        worker = await Worker.start(spawner, None, on_report)
    except OSError as error:
        return _failed(f"A media worker cannot be started: {error.strerror}.")
    lost = asyncio.ensure_future(worker.lost.wait())
    try:
        worker.send(order)
        seconds = order.most_seconds + _GRACE_SECONDS
        await asyncio.wait([done, lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        lost.cancel()
        worker.end()
    if done.done():
        return done.result()
    MEDIA_CRASHES.inc()
    return _failed("The process that looked at the URL crashed.")


def _failed(message: str) -> Inspected:
    return Inspected(failure=Ended("worker_failed", message, retry=True))
