"""A real RTMP server in the test's process, whose streams are recorded."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import av

from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.publishing import PublishRefused, PublishRequest
from stagedoor.sources.rtmp.server import RtmpServer
from stagedoor.sources.rtmp.settings import RtmpSettings
from stagedoor.sources.rtmp.status import StreamStatus
from tests.support.rtmp_encoder import HANDSHAKE, ChunkEncoder, answers, opening

KEY = "stk_dGhlIGtleSBvZiBhbiBpbmdyZXNz"


@dataclass
class Recording:
    """A `Publication` that keeps what it is given."""

    request: PublishRequest
    ending: asyncio.Future[StreamStatus]
    data: bytearray = field(default_factory=bytearray)
    notices: list[Notice] = field(default_factory=list[Notice])
    ends: list[str] = field(default_factory=list[str])
    failures: list[str | None] = field(default_factory=list["str | None"])
    room: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    drains: int = 0

    def write(self, tags: bytes) -> None:
        self.data += tags
        self.changed.set()

    async def drained(self) -> None:
        self.drains += 1
        self.changed.set()
        await self.room.wait()

    def noticed(self, notice: Notice) -> None:
        self.notices.append(notice)

    def finished(self, reason: str, failure: str | None = None) -> None:
        self.ends.append(reason)
        self.failures.append(failure)
        self.changed.set()

    async def until_end(self) -> str:
        """Wait for the stream's end and return its reason."""
        while not self.ends:
            self.changed.clear()
            await self.changed.wait()
        return self.ends[0]

    async def until_bytes(self, count: int) -> None:
        """Wait until so much has come."""
        while len(self.data) < count:
            self.changed.clear()
            await self.changed.wait()


@dataclass
class Recorder:
    """A `PublishHandler` that takes every stream with the right key."""

    key: str = KEY
    recordings: list[Recording] = field(default_factory=list[Recording])
    refused: list[PublishRequest] = field(default_factory=list[PublishRequest])
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    room: bool = True

    async def publish(self, request: PublishRequest) -> Recording:
        if self.key not in request.key_candidates:
            self.refused.append(request)
            raise PublishRefused("NetStream.Publish.BadName", "No stream has this key.", wrong_key=True)
        made = Recording(request, asyncio.get_running_loop().create_future())
        if self.room:
            made.room.set()
        self.recordings.append(made)
        self.changed.set()
        return made

    async def first(self) -> Recording:
        """Wait for the first stream."""
        while not self.recordings:
            self.changed.clear()
            await self.changed.wait()
        return self.recordings[0]


@dataclass
class Served:
    """A running server.

    Attributes:
        port: Where it listens.
        tls_port: Where it listens for TLS alone; 0 without a certificate.
    """

    server: RtmpServer
    recorder: Recorder
    port: int
    tls_port: int

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live"


@contextlib.asynccontextmanager
async def serving(
    settings: RtmpSettings | None = None, certificate: Certificate | None = None
) -> AsyncGenerator[Served]:
    """A server on free ports of the loopback."""
    recorder = Recorder()
    server = RtmpServer(recorder, settings or RtmpSettings(), certificate)
    plain = _listening()
    ports = [plain.getsockname()[1], 0]
    server.listen(plain)
    if certificate is not None:
        tls = _listening()
        ports[1] = tls.getsockname()[1]
        server.listen(tls, tls_only=True)
    clock = asyncio.create_task(server.run())
    try:
        yield Served(server, recorder, *ports)
    finally:
        await server.stop()
        clock.cancel()
        await asyncio.wait({clock})


def _listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(1024)
    return made


class RawEncoder:
    """An encoder of which each byte is the test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.chunks = ChunkEncoder()
        self.answered = b""

    @classmethod
    async def connect(cls, port: int, address: str = "127.0.0.1") -> RawEncoder:
        """Connect from an address of the loopback network."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0)))

    async def publish(self, key: str = KEY, app: str = "live", *, kind: str = "live") -> None:
        """Send everything up to `publish`."""
        self.writer.write(
            HANDSHAKE + b"".join(self.chunks.write(message, 3) for message in opening(key, app, kind=kind))
        )
        await self.writer.drain()

    async def until_code(self, code: str, times: int = 1) -> list[str]:
        """Read until a status with this code has come so often; the codes up to it."""
        while True:
            found = [str(about["code"]) for about in self._abouts() if "code" in about]
            if found.count(code) >= times:
                return found
            data = await self.reader.read(65_536)
            if not data:
                raise EOFError(f"the connection ended after {found}")
            self.answered += data

    async def until_end(self) -> bytes:
        """Read until the server closes the connection."""
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(65_536):
                self.answered += data
        self.close()
        return self.answered

    def close(self) -> None:
        self.writer.close()

    def _abouts(self) -> list[dict[str, object]]:
        return [dict(values[-1]) for values in answers(self.answered) if isinstance(values[-1], dict)]


@dataclass(frozen=True)
class Demuxed:
    """An FLV file as PyAV reads it.

    Attributes:
        video: The video's codec; empty without one.
        audio: The audio's codec; empty without one.
        pictures: Of each video packet its decoding and presentation time, in milliseconds.
        sounds: Of each audio packet its time.
        decoded: How many pictures were decoded.
    """

    video: str
    audio: str
    pictures: list[tuple[int, int]]
    sounds: list[int]
    decoded: int

    @property
    def reordered(self) -> bool:
        """Whether there are B-frames: pictures that are shown in another order than they come."""
        shown = [pts for _, pts in self.pictures]
        return shown != sorted(shown)


def demux(data: bytes) -> Demuxed:
    """What PyAV's `flv` demuxer finds."""
    codecs = {"video": "", "audio": ""}
    pictures: list[tuple[int, int]] = []
    sounds: list[int] = []
    decoded = 0
    with av.open(io.BytesIO(data), "r", format="flv") as container:
        for packet in container.demux():
            # GStreamer sends its metadata again and again, which is a stream of its own here.
            if packet.dts is None or packet.pts is None or packet.stream.type not in codecs:
                continue
            codecs[packet.stream.type] = packet.stream.codec_context.name
            if packet.stream.type == "video":
                pictures.append((packet.dts, packet.pts))
                decoded += len(packet.decode())
            else:
                sounds.append(packet.pts)
    return Demuxed(codecs["video"], codecs["audio"], pictures, sounds, decoded)
