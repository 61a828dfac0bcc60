"""One encoder's connection: its socket, its time-outs, and the stream that it publishes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Protocol, cast

import structlog

from stagedoor.sources.rtmp import metrics
from stagedoor.sources.rtmp.connection import Connection
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.events import Closing, Event, PublishAsked, Tags, Unpublished
from stagedoor.sources.rtmp.gate import Gate
from stagedoor.sources.rtmp.keys import key_candidates
from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.publishing import SERVER_STOPS, Publication, PublishHandler, PublishRefused, PublishRequest
from stagedoor.sources.rtmp.rare_log import RareLog
from stagedoor.sources.rtmp.settings import RtmpSettings
from stagedoor.sources.rtmp.status import StreamStatus, failed

_log = structlog.get_logger()

WRITTEN_UNCHECKED: Final = 262_144
"""Bytes that are written to a stream before it is asked whether it takes more."""

UNSENT: Final = 65_536
"""Bytes for an encoder that it has not taken, beyond which nothing is read from it."""

_DELAY: Final = (0.5, 1.5)
"""Seconds until a refusal is sent: an encoder that tries again at once does so at this pace."""

_LINGER_SECONDS: Final = 2.0
"""For which a connection stays open for reading behind the last status: a closed one would be reset by what the encoder
still sends, and the status lost."""


class Peers(Protocol):
    """What connections share."""

    settings: RtmpSettings
    handler: PublishHandler
    gate: Gate
    rare_log: RareLog

    def run_peer(self, peer: Peer, joined: Callable[[], None]) -> None:
        """Begin to call `tick`."""
        ...

    def forget(self, peer: Peer) -> None:
        """End it."""
        ...


class Peer(asyncio.Protocol):
    """An encoder.

    Args:
        peers: What it shares with others.
        peer: Its IP address.
        joined: Called when the connection is made.
        tls: Whether it came by RTMPS.

    Attributes:
        closed: Set when its socket is closed.
    """

    _transport: asyncio.Transport

    def __init__(self, peers: Peers, peer: str, joined: Callable[[], None], *, tls: bool) -> None:
        self.peer = peer
        self._peers = peers
        self._joined = joined
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(peers.settings.rtmp_max_message_bytes)
        self._publication: Publication | None = None
        self._task: asyncio.Task[None] | None = None
        self._written = 0
        self._waited = 0.0
        self._closing = False
        self._lost = False
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._holds: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.set_write_buffer_limits(UNSENT)
        self._peers.run_peer(self, self._joined)

    def data_received(self, data: bytes) -> None:
        if not self._closing:
            self._feed(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.closed.set_result(None)
        self._peers.forget(self)
        self._finish("The encoder's connection ended." if exc is None else f"The encoder's connection broke ({exc}).")

    def pause_writing(self) -> None:
        self._hold("unsent")

    def resume_writing(self) -> None:
        self._release("unsent")

    def tick(self, elapsed: float) -> None:
        """Count time in which the encoder had the chance to send.

        Args:
            elapsed: Seconds.
        """
        if self._closing:
            self._waited += elapsed
            if self._waited > _LINGER_SECONDS:
                self._transport.abort()
        elif not {"asking", "undrained"} & self._holds:
            self._waited += elapsed
            reason, most, sentence = self._limit()
            if self._waited > most:
                self._close(reason, sentence)

    def evict(self) -> None:
        """End the connection, because there are too many that do not publish."""
        if self._closing:
            self._transport.abort()
        self._close("half_open", "There are too many connections that do not publish.", linger=False)

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    async def stop(self) -> None:
        """End the connection because the server stops."""
        if self._publication is None:
            self._closing = True
            self._transport.abort()
        else:
            shutdown = StreamStatus("error", "NetConnection.Connect.AppShutdown", "The server is stopping.")
            self._end(shutdown, SERVER_STOPS)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _limit(self) -> tuple[str, float, str]:
        settings = self._peers.settings
        if self._publication is not None:
            return "silent", settings.rtmp_silent_timeout, _silence(settings)
        if self._connection.shaken_hands:
            return "publish", settings.rtmp_publish_timeout, "The client did not ask to publish in time."
        return "handshake", settings.rtmp_handshake_timeout, "The client did not finish its handshake in time."

    def _feed(self, data: bytes) -> None:
        before = self._connection.shaken_hands
        try:
            events = self._connection.feed(data, int(self._loop.time() * 1000))
        except ProtocolError as error:
            self._close("protocol", str(error), code=error.code)
            return
        if self._connection.shaken_hands and not before:
            self._waited = 0.0
        for event in events:
            self._act(event)
        self._flush()

    def _act(self, event: Event) -> None:
        match event:
            case Tags(tags):
                self._write(tags)
            case PublishAsked():
                self._hold("asking")
                self._task = asyncio.create_task(self._ask(event), name="rtmp publish")
            case Unpublished(reason):
                self._finish(reason)
                self._waited = 0.0
            case Closing(code, reason):
                self._close(code, reason)
            case Notice():
                _log.info("rtmp_notice", peer=self.peer, code=event.code, detail=event.sentence)
                if self._publication is not None:
                    self._publication.noticed(event)

    def _write(self, tags: bytes) -> None:
        publication = self._publication
        if publication is None or not tags:
            return
        self._waited = 0.0
        metrics.BYTES.inc(len(tags))
        publication.write(tags)
        self._written += len(tags)
        if self._written >= WRITTEN_UNCHECKED and "undrained" not in self._holds:
            self._written = 0
            self._hold("undrained")
            self._task = asyncio.create_task(self._drain(publication), name="rtmp drain")

    async def _drain(self, publication: Publication) -> None:
        try:
            await publication.drained()
        except Exception:  # noqa: BLE001 - or nothing would ever be read again
            _log.exception("rtmp_stream_failed", peer=self.peer)
            self._end(failed("The server cannot take the stream any more; connect again."), "server_error")
        self._release("undrained")

    async def _ask(self, asked: PublishAsked) -> None:
        request = PublishRequest(
            app=asked.app,
            stream_name=asked.stream_name,
            key_candidates=key_candidates(asked.app, asked.url, asked.stream_name),
            peer=self.peer,
            encoder=asked.encoder,
            tls=self._tls,
            enhanced=asked.enhanced,
        )
        try:
            publication = await self._peers.handler.publish(request)
        except PublishRefused as refused:
            await self._refuse(asked, refused)
        except Exception:  # noqa: BLE001 - whatever it is, the encoder gets a status
            _log.exception("rtmp_publish_failed", peer=self.peer)
            metrics.PUBLISHED.labels("failed").inc()
            self._end(failed("The server cannot take the stream now; try again later."))
        else:
            self._begin(publication)

    def _begin(self, publication: Publication) -> None:
        metrics.PUBLISHED.labels("accepted").inc()
        metrics.PUBLISHERS.inc()
        self._publication = publication
        if self._lost or self._closing:
            self._finish("The encoder left before its stream began.")
            return
        self._peers.gate.publishes(self)
        self._waited = 0.0
        publication.ending.add_done_callback(self._ending)
        self._connection.accept()
        self._release("asking")

    async def _refuse(self, asked: PublishAsked, refused: PublishRefused) -> None:
        metrics.PUBLISHED.labels("wrong_key" if refused.wrong_key else "refused").inc()
        _log.info(
            "rtmp_publish_refused",
            peer=self.peer,
            app=_path(asked.app),
            encoder=asked.encoder[:100],
            code=refused.code,
            detail=refused.description,
        )
        if refused.wrong_key and not self._peers.gate.wrong_key(self.peer):
            self._close("wrong_keys", "Too many wrong keys came from this address.", linger=False)
            return
        await asyncio.sleep(random.uniform(*_DELAY))  # noqa: S311 - no secret
        self._end(StreamStatus("error", refused.code, refused.description))

    def _ending(self, ending: asyncio.Future[StreamStatus]) -> None:
        if not ending.cancelled() and self._publication is not None and self._publication.ending is ending:
            self._end(ending.result())

    def _end(self, status: StreamStatus, failure: str | None = None) -> None:
        """Send a last status, and close the connection when the encoder has had time to read it."""
        if self._closing or self._lost:
            return
        self._connection.end(status)
        self._flush()
        self._finish(status.description, failure)
        self._linger()

    def _close(self, reason: str, sentence: str, *, code: str | None = None, linger: bool = True) -> None:
        """Close the connection for a reason of this side."""
        if self._closing or self._lost:
            return
        if self._publication is not None and self._connection.publishing:
            self._connection.end(failed(sentence))
        self._flush()
        metrics.CLOSED.labels(reason).inc()
        if self._publication is not None:
            _log.info("rtmp_publisher_disconnected", peer=self.peer, reason=code or reason, detail=sentence)
        else:
            self._peers.rare_log.closed(code or reason, self.peer, sentence)
        self._finish(sentence, code or reason)
        if linger:
            self._linger()
        else:
            self._closing = True
            self._transport.abort()

    def _linger(self) -> None:
        self._closing = True
        self._waited = 0.0
        self._holds.clear()
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _finish(self, reason: str, failure: str | None = None) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            if self._task is not None and "undrained" in self._holds:
                self._task.cancel()
            metrics.PUBLISHERS.dec()
            publication.finished(reason, failure)
            if not self._lost:
                self._peers.gate.waits(self)

    def _flush(self) -> None:
        data = self._connection.take_output()
        if data and not self._closing and not self._transport.is_closing():
            self._transport.write(data)

    def _hold(self, why: str) -> None:
        """Read nothing more until it is released."""
        if not self._holds and not self._closing:
            self._transport.pause_reading()
        self._holds.add(why)

    def _release(self, why: str) -> None:
        self._holds.discard(why)
        if self._closing or self._lost:
            return
        if why == "asking":
            self._feed(b"")
        if not self._holds and not self._closing:
            self._transport.resume_reading()


def _silence(settings: RtmpSettings) -> str:
    seconds = f"{settings.rtmp_silent_timeout:g}"
    return f"The encoder sent no audio and no video for {seconds} seconds, the setting rtmp_silent_timeout."


def _path(app: str) -> str:
    """An app for the log: its first part, for a key can be in the others and in its query."""
    return app.partition("?")[0].partition("/")[0][:40]
