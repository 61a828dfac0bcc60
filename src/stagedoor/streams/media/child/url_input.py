"""A URL that is read: connected to again when it breaks, while the participant stays in the room.

FFmpeg opens no address by itself: RTSP and RTMP come through a relay, HTTP through files over checked connections.
"""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

import av
from av.container import InputContainer
from av.error import FFmpegError

from stagedoor.streams.media import protocol
from stagedoor.streams.media.child.connecting import connect
from stagedoor.streams.media.child.drift import Drift
from stagedoor.streams.media.child.http_source import HttpSource
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track
from stagedoor.streams.media.child.reader import Reader
from stagedoor.streams.media.child.relay import Relay, Unchanged
from stagedoor.streams.media.child.rtsp_relay import RtspTranslator
from stagedoor.streams.media.child.timeline import Timeline

_OPEN_SECONDS: Final = 8.0
_STALL_SECONDS: Final = 8.0
"""A source that sends nothing for so long is connected to again."""
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 5.0
_FIRST_LEAD_US: Final = 100_000
_MOST_LEAD_US: Final = 1_000_000
_LEAD_GROWTH: Final = 0.05
"""A file is read no faster than it plays, and ahead of that by as much as a slow server needs. The lead grows slowly:
clients show a second that comes at once in an instant."""
_LAST_SECONDS: Final = 0.5
"""How much later than it is sent the last packet of a file may be shown."""
_PREVIEW_VIDEOS: Final = 8
"""So many pictures of a file show what it is: B-frames are among them, if it has any."""
_PREVIEW_PACKETS: Final = 400
"""Not more than so many, when the sound lies far ahead of the picture."""
_PORTS: Final = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
_FORMATS: Final = "hls,mpegts,mov,matroska,flv,mpjpeg,mpeg,avi,aac,mp3,ogg,wav,h264,hevc"
_COMMON: Final = {"analyzeduration": "1500000", "probesize": "2000000"}
_CAMERA: Final = _COMMON | {"fpsprobesize": "0"}
"""The first picture is not waited with until FFmpeg knows the frame rate, which is measured here."""
_WITHOUT_TIME: Final = frozenset({"mpjpeg", "mjpeg"})
_TRANSPORTS: Final = {"auto": "tcp+udp", "tcp": "tcp", "udp": "udp"}


@dataclass(frozen=True, slots=True)
class _Found:
    """A packet of the source, not placed in time yet; times are in microseconds.

    Attributes:
        stamp: Its decode time stamp, if it has one.
        offset: How much later it is shown.
    """

    track: Track
    data: bytes
    stamp: int | None
    offset: int
    key: bool


class UrlInput:
    """Reads the packets of a URL.

    Args:
        source: What is read, and where it may lead.

    Attributes:
        report: Called when the source is away, and with `None` when it is back.
        format: FFmpeg's name of the container, once it is open.
        finite: Whether it has an end, as a file has.
        waits: Whether what has an end is played only after `play`. Before, its first packets come as ones that are not
            live: from them it is known what is published.
    """

    def __init__(self, source: protocol.UrlInput) -> None:
        self._source = source
        self.report: Callable[[protocol.Interrupted | None], None] = lambda _: None
        self._url = urlsplit(source.url)
        self._closing = threading.Event()
        self._playing = threading.Event()
        self._relay: Relay | None = None
        self._http: HttpSource | None = None
        self._records = self._url.scheme.lower().startswith("rtsp")
        self._timeline = Timeline(Drift() if self._records else None)
        self._began = False
        self._paced_from: int | None = None
        self._placed = 0
        self._translator: RtspTranslator | None = None
        self.format = ""
        self.finite = False
        self.waits = False

    @property
    def transport(self) -> Literal["tcp", "udp"] | None:
        """What carries the media; none before anything was opened."""
        if not self.format:
            return None
        return "udp" if self._translator is not None and self._translator.by_udp else "tcp"

    def play(self) -> None:
        """Begin with what waits, from another thread: it can be seen now."""
        self._playing.set()

    def close(self) -> None:
        """End `packets`, from another thread."""
        self._closing.set()
        self._playing.set()
        if self._relay is not None:
            self._relay.close()
        if self._http is not None:
            self._http.abort()

    def packets(self) -> Iterator[MediaPacket]:
        """All packets, until a file ends.

        Raises:
            StreamFailed: The source cannot be read, or is away for too long.
        """
        away_since: float | None = None
        wait = _FIRST_WAIT
        while not self._closing.is_set():
            failure = StreamFailed("source_failed", "The source has ended the stream.", retry=True)
            try:
                for packet in self.connection():
                    if away_since is not None:
                        away_since, wait = None, _FIRST_WAIT
                        self.report(None)
                    yield packet
                if self.finite:
                    self._closing.wait((self._placed - _now()) / 1_000_000 + _LAST_SECONDS)
                    return
            except StreamFailed as error:
                failure = error
            if self._closing.is_set():
                return
            ended = failure.ended()
            away_since = away_since if away_since is not None else time.monotonic()
            away = time.monotonic() - away_since
            if not ended.retry or not self._began or away > self._source.stay_seconds:
                raise failure
            self.report(protocol.Interrupted(ended.code, ended.message))
            self._closing.wait(wait * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
            wait = min(wait * 2, _LONGEST_WAIT)

    def connection(self) -> Generator[MediaPacket]:
        """The packets of one connection, until it ends.

        Raises:
            StreamFailed: The source cannot be read.
        """
        self._timeline.restart()
        self._paced_from = None
        opened_at = time.monotonic()
        try:
            with self._open() as container:
                self.format = container.format.name
                self.finite = self._http is not None and _has_end(self._http, container)
                yield from self._read(container)
            self._fail_as_relay()
        except FFmpegError as error:
            self._fail_as_relay()
            if not self.format and time.monotonic() - opened_at >= _OPEN_SECONDS:
                raise self._timed_out() from error
            raise self._failed(error) from error
        finally:
            if self._relay is not None:
                self._relay.close()
            if self._http is not None:
                self._http.close()

    def _fail_as_relay(self) -> None:
        if self._relay is not None and self._relay.failure is not None:
            raise self._relay.failure

    def _timed_out(self) -> StreamFailed:
        """FFmpeg gives a source up in time, and then calls what it has not got invalid data."""
        host, seconds = self._url.hostname, round(_OPEN_SECONDS)
        if self._relay is not None and self._relay.silent:
            message = f"{host} takes the connection, but does not answer within {seconds} seconds."
        else:
            message = f"{host} answers, but sends no media within {seconds} seconds."
        return StreamFailed("source_timeout", message, retry=True)

    def _failed(self, error: FFmpegError) -> StreamFailed:
        name, answered = type(error).__name__, "" if self._http is None else self._http.content_type
        message = f"The source cannot be read: {error.strerror}."
        if name in {"ExitError", "TimeoutError"}:
            message = "The source sends no media."
        elif not self._began and self._http is not None and self._http.is_mp4_without_ranges:
            message = (
                "The MP4 cannot be read from its beginning: its index comes last. Write it first (FFmpeg:"
                " -movflags +faststart), or serve the file with range requests (Accept-Ranges: bytes)."
            )
        elif name == "InvalidDataError" and not self.format:
            what = f"The answer of the type {answered}" if answered else "What the source answers"
            message = f"{what} is no media that can be read."
        return StreamFailed("source_failed", message, retry=True)

    def _read(self, container: InputContainer) -> Iterator[MediaPacket]:
        first = [*container.streams.video[:1], *container.streams.audio[:1]]
        if not first:
            raise StreamFailed("source_failed", "The source has neither video nor audio.", retry=True)
        found = self._find(container, {stream.index: Reader(stream) for stream in first})
        if self.waits and self.finite and not self._playing.is_set():
            beginning = _beginning(found, has_video=bool(container.streams.video))
            yield from _preview(beginning)
            self._playing.wait()
            found = chain(beginning, found)
        for one in found:
            yield self._place(one)

    def _find(self, container: InputContainer, readers: dict[int, Reader]) -> Iterator[_Found]:
        for packet in container.demux([container.streams[index] for index in readers]):
            reader = readers[packet.stream_index]
            if reader.track is None or not packet.size:
                continue
            self._began = True
            base: Fraction = (packet.time_base or Fraction(0)) * 1_000_000
            stamp = packet.dts if packet.dts is not None else packet.pts
            shown = packet.pts if packet.pts is not None else stamp
            offset = 0 if stamp is None or shown is None else int((shown - stamp) * base)
            key = packet.is_keyframe  # the filter empties it
            # Pictures alone have no time stamps: FFmpeg makes them up, for 25 pictures a second.
            at = None if stamp is None or container.format.name in _WITHOUT_TIME else int(stamp * base)
            yield _Found(reader.track, reader.data(packet), at, max(0, offset), key)

    def _place(self, one: _Found) -> MediaPacket:
        now = _now()
        dts = self._timeline.place(one.track.kind, now if one.stamp is None else one.stamp, now)
        self._placed = dts
        if not self._records:
            self._pace(dts, now)
        return MediaPacket(one.track, one.data, dts + one.offset, dts, one.key, True)

    def _pace(self, dts: int, now: int) -> None:
        if self._paced_from is None:
            self._paced_from = now
        lead = min(_MOST_LEAD_US, _FIRST_LEAD_US + (now - self._paced_from) * _LEAD_GROWTH)
        if dts - now > lead:
            self._closing.wait((dts - now - lead) / 1_000_000)

    def _open(self) -> InputContainer:
        scheme = self._url.scheme.lower()
        if scheme in {"http", "https"}:
            return self._open_http()
        host, port = self._url.hostname or "", self._url.port or _PORTS[scheme]
        connection = connect(host, port, self._source.allowed_networks, tls=scheme in {"rtsps", "rtmps"})
        return self._open_rtsp(connection) if scheme.startswith("rtsp") else self._open_rtmp(connection)

    def _open_http(self) -> InputContainer:
        self._http = HttpSource(self._source.url, self._source.allowed_networks)
        options = {
            **_COMMON,
            "protocol_whitelist": "http,https,crypto",
            "format_whitelist": _FORMATS,
            "http_persistent": "0",
            "http_multiple": "0",
        }
        url = self._url._replace(netloc=self._url.netloc.rpartition("@")[2]).geturl()
        return av.open(url, "r", options=options, io_open=self._http.open, timeout=(_OPEN_SECONDS, _STALL_SECONDS))

    def _open_rtsp(self, connection: socket.socket) -> InputContainer:
        translator = self._translator = RtspTranslator(self._url, connection.getpeername()[0])
        self._relay = Relay(connection, translator)
        translator.local = f"127.0.0.1:{self._relay.port}"
        options = {
            **_CAMERA,
            "protocol_whitelist": "rtsp,rtp,rtcp,udp,tcp",
            "rtsp_transport": _TRANSPORTS[self._source.transport],
            "allowed_media_types": "video+audio",
        }
        if self._source.transport == "auto":
            options["rtsp_flags"] = "prefer_tcp"
        url = _local("rtsp", translator.local, self._url)
        return av.open(url, "r", format="rtsp", options=options, timeout=(_OPEN_SECONDS, _STALL_SECONDS))

    def _open_rtmp(self, connection: socket.socket) -> InputContainer:
        self._relay = Relay(connection, Unchanged())
        netloc = self._url.netloc.rpartition("@")[2]
        app = self._url.path.strip("/").rpartition("/")[0]
        options = {
            **_CAMERA,
            "protocol_whitelist": "rtmp,tcp",
            "rtmp_tcurl": f"{self._url.scheme}://{netloc}/{app}",
            "rtmp_live": "live",
        }
        userinfo, at, _ = self._url.netloc.rpartition("@")
        url = _local("rtmp", f"{userinfo}{at}127.0.0.1:{self._relay.port}", self._url)
        return av.open(url, "r", format="flv", options=options, timeout=(_OPEN_SECONDS, _STALL_SECONDS))


def _now() -> int:
    return time.monotonic_ns() // 1000


def _beginning(found: Iterator[_Found], *, has_video: bool) -> list[_Found]:
    """The first packets, as many as show what is published."""
    beginning: list[_Found] = []
    videos = 0
    for one in found:
        beginning.append(one)
        videos += one.track.kind == "video"
        if videos >= _PREVIEW_VIDEOS or not has_video or len(beginning) >= _PREVIEW_PACKETS:
            break
    return beginning


def _preview(beginning: list[_Found]) -> Iterator[MediaPacket]:
    """The same as packets of the past: when they are played they are later than these."""
    last = max((one.stamp + one.offset for one in beginning if one.stamp is not None), default=0)
    before = _now() - last
    for one in beginning:
        dts = before + (last if one.stamp is None else one.stamp)
        yield MediaPacket(one.track, one.data, dts + one.offset, dts, one.key, live=False)


def _local(scheme: str, netloc: str, url: SplitResult) -> str:
    return url._replace(scheme=scheme, netloc=netloc).geturl()


def _has_end(source: HttpSource, container: InputContainer) -> bool:
    return bool(container.duration) or (source.has_length and container.format.name != "hls")
