"""Encoders' requests to publish as publications of ingresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from stagedoor.kernel.errors import Problem, StorageUnavailable, Unauthenticated
from stagedoor.sources.ingress.closing import LEFT, REPLACED, STOPPING, Ending
from stagedoor.sources.ingress.embedded import open_stream
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.sessions import IngressSessions
from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.publishing import SERVER_STOPS, Publication, PublishRefused, PublishRequest
from stagedoor.sources.rtmp.splice import OtherMedia, Splice
from stagedoor.sources.rtmp.status import StreamStatus, bad_name, failed
from stagedoor.streams.media.protocol import FlvInput
from stagedoor.streams.media.stream import MediaStream
from stagedoor.streams.media.workers import MediaWorkers

SOURCE: Final = "rtmp"
_SERVER_ERROR: Final = 500


class RtmpIngresses:
    """The `PublishHandler` of the product.

    Args:
        ingresses: Who may publish, and the states of those that do.
        workers: Publish what encoders send.
    """

    def __init__(self, ingresses: IngressSessions, workers: MediaWorkers) -> None:
        self._ingresses = ingresses
        self._workers = workers
        self._feeds: dict[LiveIngress, _Feed] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    async def publish(self, request: PublishRequest) -> Publication:
        """Take a stream. An encoder that comes back before its old connection is dead goes on as the same participant.

        Raises:
            PublishRefused: No ingress has the key, or it may not publish now.
        """
        try:
            authenticated = await self._ingresses.authenticate(request.key_candidates, "rtmp")
            before = self._ingresses.taken_over(authenticated)
            if before is not None and before in self._feeds:
                return self._feeds[before].next_encoder()
            self._workers.prepare()
            live = await self._ingresses.begin(authenticated, SOURCE)
        except Unauthenticated as problem:
            raise PublishRefused("NetStream.Publish.BadName", problem.detail, wrong_key=True) from None
        except Problem as problem:
            raise _refused(problem) from None
        except StorageUnavailable:
            raise PublishRefused("NetStream.Publish.Failed", "Stagedoor's database is away; try again.") from None
        feed = _Feed(live, lambda: self._open(live), self._stop, lambda: self._feeds.pop(live, None))
        try:
            encoder = feed.begin()
        except Problem as problem:
            live.fail(problem.code, problem.detail)
            raise _refused(problem) from None
        self._feeds[live] = feed
        return encoder

    def _open(self, live: LiveIngress) -> MediaStream:
        return open_stream(live, self._workers, self._ingresses.tokens, FlvInput())

    def _stop(self, stream: MediaStream) -> None:
        task = asyncio.create_task(stream.stop(), name=f"end of {stream.stream_id}")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


def _refused(problem: Problem) -> PublishRefused:
    """What passes by itself is no bad name, at which encoders give up."""
    code = "NetStream.Publish.Failed" if problem.status >= _SERVER_ERROR else "NetStream.Publish.BadName"
    return PublishRefused(code, problem.detail)


class _Feed:
    """What encoders of one publication send, one after the other, on its way to the media stream that publishes it.

    Args:
        live: The publication.
        open_: Opens a media stream for it.
        stop: Has a media stream leave the room.
        forget: Called when the publication is over.
    """

    def __init__(
        self,
        live: LiveIngress,
        open_: Callable[[], MediaStream],
        stop: Callable[[MediaStream], None],
        forget: Callable[[], object],
    ) -> None:
        self.live = live
        self._open = open_
        self._stop = stop
        self._forget = forget
        self._splice = Splice()
        self._stream: MediaStream | None = None
        self._encoder = _Encoder(self)
        live.ending.add_done_callback(self._must_end)

    def begin(self) -> _Encoder:
        """Take the first encoder.

        Raises:
            Unavailable: The machine is full, or Stagedoor is stopping.
        """
        self._stream = self._open()
        return self._encoder

    def next_encoder(self) -> _Encoder:
        """Take another encoder in place of the one before, which is disconnected."""
        before, self._encoder = self._encoder, _Encoder(self)
        before.end(bad_name(REPLACED.message))
        self.live.forget_notices()
        self._splice.next_encoder()
        return self._encoder

    def write(self, encoder: _Encoder, tags: bytes) -> None:
        """Pass an encoder's tags on, if it has not been replaced."""
        if encoder is not self._encoder or self._stream is None:
            return
        try:
            self._stream.write(self._splice.feed(tags))
        except OtherMedia as other:
            self._begin_again(other.data)

    def noticed(self, encoder: _Encoder, notice: Notice) -> None:
        """Say in the state what is left out of what an encoder sends."""
        if encoder is self._encoder:
            self.live.noticed(notice.track, notice.sentence, notice.codec)

    async def drained(self) -> None:
        """Wait until the worker keeps up."""
        if self._stream is not None:
            await self._stream.drained()

    def finished(self, encoder: _Encoder, why: Ending) -> None:
        """End the publication when its encoder is gone, and have the participant leave."""
        if encoder is not self._encoder:
            return
        self.live.end(self.live.ending.result() if self.live.ending.done() else why)
        self._forget()
        if self._stream is not None:
            self._stop(self._stream)

    def _begin_again(self, data: bytes) -> None:
        """Publish other media than before: as a participant of its own, with the same identity."""
        before, self._splice = self._stream, Splice()
        try:
            self._stream = self._open()
        except Problem as problem:
            self._stream = None
            self.live.fail(problem.code, problem.detail)
        else:
            self._stream.write(self._splice.feed(data))
        if before is not None:
            self._stop(before)

    def _must_end(self, ending: asyncio.Future[Ending]) -> None:
        self._encoder.end(_status(ending.result()))


class _Encoder:
    """One encoder's connection: the `Publication` that its server has."""

    def __init__(self, feed: _Feed) -> None:
        self.ending: asyncio.Future[StreamStatus] = asyncio.get_running_loop().create_future()
        self._feed = feed

    def end(self, status: StreamStatus) -> None:
        """Have the connection end."""
        if not self.ending.done():
            self.ending.set_result(status)

    def write(self, tags: bytes) -> None:
        """Pass tags on."""
        self._feed.write(self, tags)

    async def drained(self) -> None:
        """Wait until the worker keeps up."""
        await self._feed.drained()

    def noticed(self, notice: Notice) -> None:
        """Say in the state what is left out."""
        self._feed.noticed(self, notice)

    def finished(self, reason: str, failure: str | None = None) -> None:
        """Note that the encoder is gone."""
        if failure == SERVER_STOPS:
            why = STOPPING
        else:
            why = Ending(LEFT.code, reason) if failure is None else Ending(failure, reason, failed=True)
        self._feed.finished(self, why)


def _status(why: Ending) -> StreamStatus:
    if why == STOPPING:
        return StreamStatus("error", "NetConnection.Connect.AppShutdown", why.message)
    return failed(why.message) if why.failed else bad_name(why.message)
