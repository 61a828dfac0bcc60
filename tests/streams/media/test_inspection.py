"""A look at a URL says what is there and how it would be published: real servers, and servers that give nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import subprocess
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stagedoor.streams.media.child.inspection import Inspection
from stagedoor.streams.media.protocol import Inspect, Inspected, StreamLimits, Transport, UrlInput
from tests.support.gst_rtsp import H264, H265, MJPEG, MU_LAW, VIDEO, rtsp_server
from tests.support.http_camera import http_camera, moving
from tests.support.jpegs import BLUE, RED, jpeg
from tests.support.ports import free_ports

MAIN = "x264enc bframes=2 b-adapt=false key-int-max=25 bitrate=400 ! video/x-h264,profile=main ! "
B_FRAMES = VIDEO + MAIN + "rtph264pay name=pay0 pt=96"


def look(
    url: str,
    *,
    seconds: float = 6.0,
    most: float = 60.0,
    transport: Transport = "auto",
    limits: StreamLimits | None = None,
) -> Inspected:
    source = UrlInput(url, allowed_networks=["127.0.0.0/8"], transport=transport)
    found: list[Inspected] = []
    over = threading.Event()

    def report(one: Inspected) -> None:
        found.append(one)
        over.set()

    Inspection(Inspect(source, seconds, most, limits or StreamLimits()), report).start()
    assert over.wait(most + 30)
    return found[0]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_that_passes_through(transport: Transport) -> None:
    async with rtsp_server(H264 + MU_LAW, user="admin", password="p%&w") as server:
        url = server.url.replace("p%&w", "p%25%26w")
        found = await asyncio.to_thread(look, url, transport=transport)
    assert (found.format, found.transport, found.finite) == ("rtsp", transport, False)
    assert (found.failure, found.advice, found.b_frames) == (None, [], False)
    video, audio = found.video, found.audio
    assert video is not None
    assert audio is not None
    assert (video.codec, video.width, video.height, video.passthrough) == ("h264", 320, 240, True)
    assert video.reason is None
    assert video.profile
    assert video.fps == pytest.approx(25, rel=0.3)
    assert video.bitrate is not None
    assert video.bitrate > 10_000
    assert found.key_frame_seconds == pytest.approx(1.0, abs=0.3)
    assert (audio.codec, audio.sample_rate, audio.channels, audio.passthrough) == ("pcm_mulaw", 8000, 1, False)
    assert audio.bitrate == pytest.approx(64_000, rel=0.3)


async def test_a_camera_that_refuses_tcp_is_read_by_udp() -> None:
    async with rtsp_server(H264, user="admin", password="secret", transport="udp") as server:
        found = await asyncio.to_thread(look, server.url)
    assert (found.transport, found.failure) == ("udp", None)
    assert found.video is not None


async def test_b_frames_are_named_with_the_setting_that_turns_them_off() -> None:
    async with rtsp_server(B_FRAMES) as server:
        found = await asyncio.to_thread(look, server.url)
    assert found.b_frames is True
    assert found.video is not None
    assert not found.video.passthrough
    assert found.video.reason is not None
    assert "B-frames" in found.video.reason
    assert [advice for advice in found.advice if "B-frames to 0" in advice]


@pytest.mark.parametrize(("pipeline", "codec", "profile"), [(H265, "hevc", "Rext"), (MJPEG, "mjpeg", None)])
async def test_what_is_transcoded_has_its_size_and_the_reason(pipeline: str, codec: str, profile: str | None) -> None:
    async with rtsp_server(pipeline) as server:
        found = await asyncio.to_thread(look, server.url)
    assert found.video is not None
    assert (found.video.codec, found.video.width, found.video.passthrough) == (codec, 320, False)
    assert profile is None or found.video.profile == profile
    assert found.advice == ["Set the encoder to H.264."]


async def test_a_wrong_password_and_a_missing_one_are_distinguished() -> None:
    async with rtsp_server(H264, user="admin", password="right", userinfo="admin:wrong@") as server:
        wrong = await asyncio.to_thread(look, server.url)
        missing = await asyncio.to_thread(look, server.url.replace("admin:wrong@", ""))
    assert wrong.failure is not None
    assert missing.failure is not None
    assert (wrong.failure.code, missing.failure.code) == ("auth_failed", "auth_failed")
    assert "refuses" in wrong.failure.message
    assert "asks for a user" in missing.failure.message


@asynccontextmanager
async def tcp(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncGenerator[str]:
    """A server whose every connection is answered so; the address of it."""

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task() or pytest.fail("there is no task"))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(asyncio.gather(*serving), 30)  # the connections were closed
    finally:
        server.close()


async def test_a_login_that_cannot_be_had_is_no_wrong_password() -> None:
    async def wants_kerberos(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := (await reader.readuntil(b"\r\n\r\n")).decode():
            sequence = request.partition("CSeq: ")[2].partition("\r\n")[0]
            writer.write(f"RTSP/1.0 401 -\r\nCSeq: {sequence}\r\nWWW-Authenticate: Negotiate\r\n\r\n".encode())

    async with tcp(wants_kerberos) as address:
        found = await asyncio.to_thread(look, f"rtsp://user:secret@{address}/x")
    assert found.failure is not None
    assert found.failure.code == "auth_failed"
    assert "Negotiate" in found.failure.message
    assert "refuses" not in found.failure.message


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def sends_bytes_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"\0")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp"])
@pytest.mark.parametrize("answer", [hangs, sends_bytes_without_end])
async def test_a_server_that_gives_no_media_is_given_up_in_time(answer: Any, scheme: str) -> None:
    async with tcp(answer) as address:
        found = await asyncio.to_thread(look, f"{scheme}://{address}/live/x", most=1.5)
    assert found.failure is not None
    assert found.failure.code == "source_failed"
    assert (found.video, found.audio) == (None, None)
    assert "media" in found.failure.message or "RTSP" in found.failure.message


def test_nothing_there() -> None:
    (port,) = free_ports(1)
    found = look(f"rtsp://127.0.0.1:{port}/x")
    assert found.failure is not None
    assert "cannot be reached" in found.failure.message


def test_a_private_address_that_is_not_listed_names_the_setting() -> None:
    found = look("rtsp://10.1.2.3/x")
    assert found.failure is not None
    assert found.failure.code == "address_not_allowed"
    assert "pull_allowed_networks" in found.failure.message


class Web(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/camera":
            self.serve_camera()
        elif self.path == "/inside":
            self.send_response(302)
            self.send_header("Location", "http://10.0.0.1/x")
            self.end_headers()
        else:
            super().do_GET()

    def serve_camera(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        frames = [jpeg(160, 120, RED), jpeg(160, 120, BLUE)]
        with contextlib.suppress(OSError):
            for number in range(10_000):
                frame = frames[number % 2]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
                self.wfile.write(head.encode() + frame + b"\r\n")
                threading.Event().wait(0.04)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("web")
    (folder / "page.html").write_text("<h1>A camera</h1>")
    source = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-f", "lavfi", "-i", "sine", "-t", "6"]
    codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-c:a", "aac"]
    ends = {"clip.mp4": ["-g", "25", "-movflags", "faststart"], "clip.m3u8": ["-g", "25"], "long.ts": ["-g", "500"]}
    for name, options in ends.items():
        subprocess.run(["ffmpeg", "-v", "error", *source, *codecs, *options, str(folder / name)], check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Web, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("name", "format"), [("clip.mp4", "mov,mp4,m4a,3gp,3g2,mj2"), ("clip.m3u8", "hls")])
def test_a_file_and_a_playlist(web: str, name: str, format: str) -> None:
    found = look(f"{web}/{name}")
    assert (found.format, found.transport, found.failure) == (format, "tcp", None)
    assert found.video is not None
    assert found.audio is not None
    assert (found.video.codec, found.video.width, found.video.passthrough) == ("h264", 160, True)
    assert (found.audio.codec, found.audio.sample_rate) == ("aac", 44_100)
    assert found.key_frame_seconds == pytest.approx(1.0, abs=0.1)
    assert found.finite


def test_a_long_time_between_key_frames_is_advised_against(web: str) -> None:
    found = look(f"{web}/long.ts", seconds=5.0)
    assert found.format == "mpegts"
    assert found.key_frame_seconds is None
    (advice,) = found.advice
    assert "key frame interval to 2 seconds" in advice


def test_an_mjpeg_camera_is_recognised(web: str) -> None:
    found = look(f"{web}/camera")
    assert (found.format, found.finite, found.failure) == ("mpjpeg", False, None)
    assert found.video is not None
    assert (found.video.codec, found.video.passthrough) == ("mjpeg", False)
    assert found.video.fps is not None
    assert 5 < found.video.fps < 40


@pytest.mark.parametrize("fps", [4, 10])
async def test_of_pictures_each_is_a_key_frame_and_the_rate_is_the_cameras(fps: int) -> None:
    async with http_camera(moving(fps, lambda number: jpeg(64, 48, RED, number))) as camera:
        found = await asyncio.to_thread(look, camera.url)
    assert found.video is not None
    assert found.video.fps == pytest.approx(fps, rel=0.3)
    assert found.key_frame_seconds == pytest.approx(1 / fps, rel=0.4)


def test_a_page_is_no_media_and_its_type_is_named(web: str) -> None:
    found = look(f"{web}/page.html")
    assert found.failure is not None
    assert "text/html" in found.failure.message


def test_a_redirect_to_a_private_address_is_not_followed(web: str) -> None:
    found = look(f"{web}/inside")
    assert found.failure is not None
    assert found.failure.code == "address_not_allowed"


def test_more_than_a_limit_is_reported_with_what_was_seen(web: str) -> None:
    found = look(f"{web}/clip.mp4", limits=StreamLimits(max_width=100))
    assert found.failure is not None
    assert found.failure.code == "limit_exceeded"
    assert found.video is not None
    assert found.video.width == 160
    slow = look(f"{web}/clip.mp4", limits=StreamLimits(max_fps=10))
    assert slow.failure is not None
    assert "frames a second" in slow.failure.message


async def test_an_rtmp_server(web: str) -> None:
    (port,) = free_ports(1)
    url = f"rtmp://127.0.0.1:{port}/live/x"
    command = ["-v", "error", "-re", "-i", f"{web}/clip.mp4", "-c", "copy", "-f", "flv", "-listen", "1", url]
    quiet = subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec("ffmpeg", *command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        found = await asyncio.to_thread(look, url)
        while found.failure is not None and "refused" in found.failure.message:  # it does not listen yet
            found = await asyncio.to_thread(look, url)
    finally:
        server.kill()
        await server.wait()
    assert (found.format, found.transport) == ("flv", "tcp")
    assert found.video is not None
    assert (found.video.codec, found.video.passthrough) == ("h264", True)
    assert found.key_frame_seconds == pytest.approx(1.0, abs=0.2)
