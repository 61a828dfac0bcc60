"""RTSPS, RTMP and RTMPS sources are read, with certificates of their own where the operator has listed them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stagedoor.streams.media import protocol
from stagedoor.streams.media.child import connecting
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.url_input import UrlInput
from tests.support.certificates import make_authority
from tests.support.ports import free_ports
from tests.support.product import eventually
from tests.support.rtsp_camera import Script, camera, clip


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    return make_authority(tmp_path).serving("localhost")


def read(url: str, allowed: list[str], count: int = 40) -> list[MediaPacket]:
    reading = UrlInput(protocol.UrlInput(url, {}, allowed))
    found: list[MediaPacket] = []
    for packet in reading.packets():
        found.append(packet)
        if len(found) >= count:
            reading.close()
    return found


@asynccontextmanager
async def rtmp_server() -> AsyncGenerator[int]:
    """FFmpeg, which serves one client; the port."""
    (port,) = free_ports(1)
    source = "-re -f lavfi -i testsrc=size=160x120:rate=25 -f lavfi -i sine=r=44100"
    codecs = "-c:v libx264 -pix_fmt yuv420p -bf 0 -g 25 -c:a aac"
    command = f"ffmpeg -v error {source} {codecs} -listen 1 -f flv rtmp://127.0.0.1:{port}/live/cam"
    process = await asyncio.create_subprocess_exec(*command.split())
    try:
        await eventually(lambda: asyncio.to_thread(_listens, port))
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _listens(port: int) -> bool:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


@asynccontextmanager
async def with_tls(port: int, context: ssl.SSLContext) -> AsyncGenerator[int]:
    """A port at which TLS is spoken for another one."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_rtsps_camera_with_a_certificate_of_its_own_is_read(tls: ssl.SSLContext) -> None:
    async with camera(Script(clip(), "pcmu", tls=tls)) as made:
        packets = await asyncio.to_thread(read, made.url, ["127.0.0.0/8"])
    assert {packet.track.codec for packet in packets} == {"h264", "pcm_mulaw"}
    assert made.requests[0] == ("OPTIONS", made.url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_elsewhere_the_certificate_is_checked(
    tls: ssl.SSLContext, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(connecting, "refusal", nothing)
    async with camera(Script(clip(), tls=tls)) as made:
        with pytest.raises(StreamFailed, match=r"TLS with .* failed: .*certificate"):
            await asyncio.to_thread(read, made.url.replace("127.0.0.1", host), [])
    assert made.requests == []


async def test_an_rtmp_source_is_read() -> None:
    async with rtmp_server() as port:
        packets = await asyncio.to_thread(read, f"rtmp://127.0.0.1:{port}/live/cam", ["127.0.0.0/8"])
    assert {packet.track.codec for packet in packets} == {"h264", "aac"}


async def test_an_rtmps_source_is_read(tls: ssl.SSLContext) -> None:
    async with rtmp_server() as inner, with_tls(inner, tls) as port:
        packets = await asyncio.to_thread(read, f"rtmps://127.0.0.1:{port}/live/cam", ["127.0.0.0/8"])
    assert {packet.track.codec for packet in packets} == {"h264", "aac"}
