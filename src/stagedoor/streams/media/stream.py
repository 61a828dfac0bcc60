"""One stream, seen from the main process: it survives its worker and LiveKit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from msgspec import structs

from stagedoor.kernel.errors import Problem, StagedoorError, StorageUnavailable, Unavailable
from stagedoor.processes.backoff import Backoff
from stagedoor.streams.media.exchange import Session, WhipExchange
from stagedoor.streams.media.feed import Feed
from stagedoor.streams.media.flv import TagSplitter
from stagedoor.streams.media.metrics import MEDIA_CRASHES
from stagedoor.streams.media.outputs import MediaOutput, OnMedia
from stagedoor.streams.media.protocol import (
    Changed,
    Close,
    CompositionInput,
    Connecting,
    Ended,
    FlvInput,
    Input,
    Inspected,
    Interrupted,
    JoinTarget,
    Layers,
    Order,
    Output,
    Publishing,
    PublishTarget,
    Report,
    RequestKeyFrame,
    Started,
    Statistics,
    StreamLimits,
    Transcoding,
    VideoState,
)
from stagedoor.streams.media.replay import Replay
from stagedoor.streams.media.spawner import Spawner
from stagedoor.streams.media.worker import Worker

_log = structlog.get_logger()

_STOP_SECONDS: Final = 6.0
_MOST_CRASHES: Final = 5
_CRASHES_SECONDS: Final = 300.0
_SERVER_ERROR: Final = 500
_HANGING_SECONDS: Final = 20.0
"""A worker that neither reads nor reports for so long is replaced; joining a room takes some seconds at the most."""

PASSTHROUGH_CORES: Final = 0.05
TRANSCODING_CORES: Final = 0.35
LADDER_CORES: Final = 0.4
COMPOSING_CORES: Final = 0.5
"""What a stream is taken to cost until it is measured; see docs/how-it-works/benchmarks.md."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What is to be published.

    Attributes:
        stream_id: Names the stream in logs.
        make_target: Makes the room and a join token, whenever the stream joins.
        on_report: Called with every report, in the event loop; `Ended` comes once, at the end.
        room: The LiveKit name of the room that the stream is sent to; empty when it is sent to none.
        identity: Of the stream's participant there.
    """

    stream_id: str
    input: Input
    make_target: Callable[[], Awaitable[PublishTarget]]
    on_report: Callable[[Report], None]
    transcoding: Transcoding = "auto"
    limits: StreamLimits = field(default_factory=StreamLimits)
    room: str = ""
    identity: str = ""
    layers: Layers = "single"

    @property
    def expected_cores(self) -> float:
        """The share of a core that it is taken to cost until it is measured."""
        if isinstance(self.input, CompositionInput):
            one = self.input
            return COMPOSING_CORES * (one.width * one.height * one.fps) / (1280 * 720 * 25)
        if self.layers == "ladder":
            return LADDER_CORES
        return TRANSCODING_CORES if self.transcoding == "always" else PASSTHROUGH_CORES


class MediaStream:
    """A stream that was opened.

    Args:
        spec: What is to be published.
        spawner: Starts its worker.
        exchange: Brings the worker together with LiveKit.

    Attributes:
        ended: Set when the stream is over for good.
        restarts: How often it was opened again, because its worker crashed or LiveKit went away.
        last_failure: Why it was opened again the last time.
        cores: The share of a core that it takes: as measured, or an estimate before.
        video: What is published of its video.
    """

    def __init__(self, spec: StreamSpec, spawner: Spawner, exchange: WhipExchange) -> None:
        self._spec = spec
        self._spawner = spawner
        self._exchange = exchange
        self._splitter = TagSplitter()
        self._replay = Replay()
        self._feed: Feed | None = None
        self._worker: Worker | None = None
        self._heard_at = time.monotonic()
        self._crashes: list[float] = []
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.restarts = 0
        self.last_failure: Ended | None = None
        self.cores = spec.expected_cores
        self.video: VideoState | None = None
        self._outputs: list[MediaOutput] = []
        self._stopping = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"media stream {spec.stream_id}")

    @property
    def stream_id(self) -> str:
        """As in the spec."""
        return self._spec.stream_id

    @property
    def room(self) -> str:
        """As in the spec."""
        return self._spec.room

    @property
    def identity(self) -> str:
        """As in the spec."""
        return self._spec.identity

    @property
    def worker_pid(self) -> int | None:
        """The process that publishes it now."""
        return self._worker.pid if self._worker is not None else None

    @property
    def buffered(self) -> int:
        """Bytes that the worker has not read yet."""
        return self._feed.buffered if self._feed is not None else 0

    def write(self, data: bytes) -> None:
        """Write FLV: the file header first, then tags, however they are cut.

        Raises:
            NotFlv: The data is no FLV.
        """
        for tag in self._splitter.feed(data):
            self._replay.note(tag)
            if self._feed is not None:
                self._feed.write_tag(tag)

    async def drained(self) -> None:
        """Wait until the worker keeps up with what was written."""
        if self._feed is not None:
            await self._feed.drained()

    def request_key_frame(self) -> None:
        """A viewer has joined the room. LiveKit says so to the worker too; this makes sure."""
        if self._worker is not None:
            self._worker.send(RequestKeyFrame())

    def start_output(self, output: Output, on_media: OnMedia) -> MediaOutput:
        """Make something more of the stream, until `stop_output` or the stream's end."""
        started = MediaOutput(output, on_media)
        self._outputs.append(started)
        if self._worker is not None:
            started.attach(self._worker)
        return started

    def stop_output(self, output: MediaOutput) -> None:
        """End an output; nothing happens when it has ended."""
        output.stop()
        if output in self._outputs:
            self._outputs.remove(output)

    async def stop(self) -> None:
        """Leave the room and end."""
        self._stopping.set()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        backoff = Backoff(first=0.3, ceiling=10.0, healthy_after=20.0)
        ended = Ended("stopped", "The stream was stopped.", retry=False)
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                outcome = await self._publish_once()
                if not outcome.retry or self._stopping.is_set():
                    ended = outcome
                    break
                self.restarts += 1
                self.last_failure = outcome
                self._spec.on_report(Connecting())
                _log.warning("media_stream_reopened", stream=self.stream_id, code=outcome.code, reason=outcome.message)
                if outcome.code != "worker_failed" or len(self._crashes) > 1:
                    await self._wait(backoff.after(time.monotonic() - began))
        except Exception as error:  # noqa: BLE001 - the caller learns that the stream is over
            ended = Ended("source_failed", f"The stream failed: {type(error).__name__}.", retry=False)
            _log.exception("media_stream_failed", stream=self.stream_id)
        finally:
            if not self.ended.done():
                self.ended.set_result(ended)
            self._spec.on_report(ended)

    async def _publish_once(self) -> Ended:
        """Publish until the worker or the stream ends, and return why."""
        try:
            session = await self._exchange.session(await self._spec.make_target())
        except StagedoorError as error:
            later = isinstance(error, StorageUnavailable) or (
                isinstance(error, Problem) and error.status >= _SERVER_ERROR
            )
            # What LiveKit was asked for concerns the API's callers, not the one at the encoder.
            if isinstance(error, Unavailable):
                return Ended("livekit_unreachable", "LiveKit does not answer.", retry=True)
            return Ended("livekit_refused", str(error), retry=later)
        done: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        try:
            worker = self._worker = await self._start(session, lambda report: self._on_report(report, done))
            for output in self._outputs:
                output.attach(worker)
            ended = await self._until_over(worker, done)
            worker.end()
            if ended.code == "removed_from_room" and not await self._exchange.alive(session):
                return Ended("livekit_unreachable", "LiveKit has stopped.", retry=True)
            refused = ended.code == "livekit_unreachable" and session.refusal is not None
            return structs.replace(ended, message=session.refusal) if refused else ended
        except OSError as error:
            return Ended("worker_failed", f"A media worker cannot be started: {error.strerror}.", retry=True)
        finally:
            for output in self._outputs:
                output.detach()
            if self._worker is not None:
                self._worker.end()
                self._worker = None
            if self._feed is not None:
                self._feed.close()
                self._feed = None
            self._exchange.end(session)

    async def _start(self, session: Session, on_report: Callable[[Report], None]) -> Worker:
        spec = self._spec
        if isinstance(spec.input, FlvInput):
            feed, its_end = await Feed.make()
            try:
                worker = await Worker.start(self._spawner, its_end, on_report)
            except OSError:
                feed.close()
                raise
            finally:
                its_end.close()
            feed.write(self._replay.data())
            self._feed = feed
        else:
            worker = await Worker.start(self._spawner, None, on_report)
        joins = spec.layers == "ladder" or isinstance(spec.input, CompositionInput)
        join = _signalling(session.target) if joins else None
        worker.send(Order(spec.stream_id, spec.input, session.url, spec.transcoding, spec.limits, join))
        return worker

    async def _until_over(self, worker: Worker, done: asyncio.Future[Ended]) -> Ended:
        waits = [asyncio.ensure_future(event.wait()) for event in (worker.lost, self._stopping)]
        try:
            while not (await asyncio.wait([done, *waits], timeout=1.0, return_when=asyncio.FIRST_COMPLETED))[0]:
                if self._hangs():
                    worker.end()
            if self._stopping.is_set() and not worker.lost.is_set() and not done.done():
                worker.send(Close())
                await asyncio.wait([done, waits[0]], timeout=_STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if done.done():
            return done.result()
        return self._crashed()

    def _hangs(self) -> bool:
        """Whether the worker has read nothing and reported nothing for long, while it was sent something."""
        now = time.monotonic()
        if self._feed is None or self._feed.keeps_up:
            self._heard_at = now
        return now - self._heard_at > _HANGING_SECONDS

    def _on_report(self, report: Report, done: asyncio.Future[Ended]) -> None:
        self._heard_at = time.monotonic()
        match report:
            case Ended():
                if not done.done():
                    done.set_result(report)
                return
            case Publishing() | Changed():
                self.video = report.video
            case Statistics():
                self.cores = report.cpu
            case Connecting():
                if self.restarts:
                    return  # it was reported when the stream was lost
            case Interrupted():
                pass
            case Started() | Inspected():
                return
        self._spec.on_report(report)

    def _crashed(self) -> Ended:
        now = time.monotonic()
        MEDIA_CRASHES.inc()
        self._crashes = [at for at in self._crashes if now - at < _CRASHES_SECONDS] + [now]
        again = len(self._crashes) < _MOST_CRASHES
        return Ended("worker_failed", "The process that published the stream crashed.", retry=again)

    async def _wait(self, seconds: float) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([stopping], timeout=seconds)
        stopping.cancel()


def _signalling(target: PublishTarget) -> JoinTarget:
    base = target.whip_url.removesuffix("/whip/v1")
    return JoinTarget(base.replace("http", "ws", 1), target.token)
