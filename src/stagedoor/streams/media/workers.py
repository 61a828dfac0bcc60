"""Media workers: a process for each stream of an encoder or a URL. More than the machine can take is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from stagedoor.kernel.errors import Unavailable
from stagedoor.streams.media.exchange import WhipExchange
from stagedoor.streams.media.inspecting import inspect
from stagedoor.streams.media.metrics import MEDIA_LOAD, MEDIA_REFUSED, MEDIA_STREAMS
from stagedoor.streams.media.protocol import Inspect, Inspected
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.media.spawner import Spawner
from stagedoor.streams.media.stream import PASSTHROUGH_CORES, MediaStream, StreamSpec

_log = structlog.get_logger()

_MEASURE_SECONDS: Final = 2.0


class MediaWorkers:
    """The media workers of this node.

    Args:
        settings: How many processes there are, and how much of the machine they may take.
    """

    def __init__(self, settings: MediaWorkerSettings) -> None:
        self._cores = settings.media_cores
        self._spawner = Spawner()
        self._exchange = WhipExchange()
        self._streams: dict[str, MediaStream] = {}
        self._busy = asyncio.Event()
        self._preparing: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[str], None]] = []
        self._stopping = False
        self._inspections: set[asyncio.Task[Inspected]] = set()

    @property
    def load(self) -> float:
        """The cores that all streams take."""
        return sum(stream.cores for stream in self._streams.values()) + len(self._inspections) * PASSTHROUGH_CORES

    def streams_to(self, livekit_room: str) -> list[MediaStream]:
        """The streams of this node that are sent to a room now, the oldest first."""
        return [stream for stream in self._streams.values() if stream.room == livekit_room]

    def listen(self, listener: Callable[[str], None]) -> None:
        """Register `listener`, which is called on the event loop with a room's name when its streams change."""
        self._listeners.append(listener)

    @property
    def spawner_pid(self) -> int | None:
        """The process that forks workers, while it runs."""
        return self._spawner.pid

    @property
    def pids(self) -> list[int | None]:
        """All processes."""
        return [self.spawner_pid, *(stream.worker_pid for stream in self._streams.values())]

    def open(self, spec: StreamSpec) -> MediaStream:
        """Open a stream; it is published some time later, as `spec.on_report` says.

        Raises:
            Unavailable: The machine is full, or Stagedoor is stopping.
        """
        self._admit(spec.expected_cores)
        stream = MediaStream(spec, self._spawner, self._exchange)
        self._streams[spec.stream_id] = stream
        self._busy.set()
        self._changed(stream)
        stream.task.add_done_callback(lambda _: self._forget(stream))
        return stream

    async def inspect(self, order: Inspect) -> Inspected:
        """Look at a URL for some seconds.

        Raises:
            Unavailable: The machine is full, or Stagedoor is stopping.
        """
        self._admit(PASSTHROUGH_CORES)
        task = asyncio.create_task(inspect(self._spawner, order), name="look at a URL")
        self._inspections.add(task)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()  # when the caller is gone
            self._inspections.discard(task)
        if task.cancelled():
            raise _stopping()
        return task.result()

    def prepare(self) -> None:
        """A stream will be opened in a moment: have everything imported, which takes a third of a second."""
        if self._preparing is None and self._spawner.pid is None and not self._stopping:
            self._preparing = asyncio.create_task(self._prepare(), name="prepare media workers")

    async def run(self) -> None:
        """Supervise the streams until cancelled; then all leave their rooms."""
        try:
            while True:
                self._measure()
                if not self._streams:
                    self._busy.clear()
                await self._busy.wait()
                await asyncio.sleep(_MEASURE_SECONDS)
        finally:
            self._stopping = True
            for task in self._inspections:
                task.cancel()
            if self._preparing is not None:
                await asyncio.wait([self._preparing])
            if self._streams:
                await asyncio.wait([asyncio.create_task(stream.stop()) for stream in self._streams.values()])
            await self._spawner.end()
            await self._exchange.close()

    async def close(self) -> None:
        """End what `inspect` has started without `run`."""
        await self._spawner.end()

    def _admit(self, cost: float) -> None:
        if self._stopping:
            raise _stopping()
        if self.load + cost > self._cores:
            MEDIA_REFUSED.inc()
            raise Unavailable(
                f"This machine is full: {len(self._streams)} streams and {len(self._inspections)} probes take"
                f" {self.load:.2f} of {self._cores:.2f} cores"
                " for media workers. Try again later; the operator can raise the setting media_load.",
                code="media_workers_full",
            )

    async def _prepare(self) -> None:
        try:
            await self._spawner.prepare()
        except OSError as error:
            _log.warning("media_workers_not_prepared", error=str(error))
        finally:
            self._preparing = None

    def _forget(self, stream: MediaStream) -> None:
        if self._streams.get(stream.stream_id) is stream:
            del self._streams[stream.stream_id]
            self._changed(stream)

    def _changed(self, stream: MediaStream) -> None:
        if stream.room:
            for listener in self._listeners:
                listener(stream.room)

    def _measure(self) -> None:
        MEDIA_LOAD.set(self.load)
        published = [stream.video for stream in self._streams.values() if stream.video is not None]
        passed = sum(video.passthrough for video in published)
        MEDIA_STREAMS.labels("passthrough").set(passed)
        MEDIA_STREAMS.labels("transcoded").set(len(published) - passed)


def _stopping() -> Unavailable:
    return Unavailable("Stagedoor is stopping; connect again in a moment.", code="media_workers_stopping")
