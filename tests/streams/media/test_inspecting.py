"""A look at a URL from the main process: in a worker of its own, which may crash and must fit on the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psutil
import pytest

from stagedoor.kernel.errors import Unavailable
from stagedoor.streams.media.protocol import Inspect, UrlInput
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.media.workers import MediaWorkers

pytestmark = pytest.mark.slow


@asynccontextmanager
async def silent_server(connected: asyncio.Event) -> AsyncGenerator[Inspect]:
    """The order to look at a server that accepts and sends nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        url = f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        yield Inspect(UrlInput(url, allowed_networks=["127.0.0.0/8"]), 60.0, 60.0)


async def test_a_worker_that_crashes_is_an_answer() -> None:
    workers, connected = MediaWorkers(MediaWorkerSettings()), asyncio.Event()
    try:
        async with silent_server(connected) as order:
            looking = asyncio.create_task(workers.inspect(order))
            await connected.wait()
            assert workers.load > 0
            (worker,) = psutil.Process(workers.spawner_pid).children()
            os.kill(worker.pid, signal.SIGKILL)
            found = await looking
        assert found.failure is not None
        assert (found.failure.code, workers.load) == ("worker_failed", 0)
    finally:
        await workers.close()


async def test_a_caller_who_is_gone_ends_the_worker() -> None:
    workers, connected = MediaWorkers(MediaWorkerSettings()), asyncio.Event()
    try:
        async with silent_server(connected) as order:
            looking = asyncio.create_task(workers.inspect(order))
            await connected.wait()
            (worker,) = psutil.Process(workers.spawner_pid).children()
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await asyncio.to_thread(worker.wait, 30)
        assert workers.load == 0
    finally:
        await workers.close()


async def test_a_machine_that_is_full_looks_at_nothing() -> None:
    workers = MediaWorkers(MediaWorkerSettings(media_load=0.001))
    with pytest.raises(Unavailable, match="media_load"):
        await workers.inspect(Inspect(UrlInput("rtsp://127.0.0.1/x"), 1.0, 1.0))
    assert workers.spawner_pid is None
