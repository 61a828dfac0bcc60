"""URLs are read from real servers, through addresses that were checked."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stagedoor.streams.media import protocol
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.url_input import UrlInput
from stagedoor.streams.media.protocol import Ended, Transport
from tests.support.gst_rtsp import H264, H264_IN_SDP_ALONE, H265, MJPEG, MU_LAW, OPUS, rtsp_server

LOOPBACK = ["127.0.0.0/8"]


def read(
    url: str, count: int = 60, *, transport: Transport = "auto", allowed: list[str] | None = None
) -> list[MediaPacket]:
    """So many packets of a URL, or all of a file."""
    reading = UrlInput(protocol.UrlInput(url, {}, LOOPBACK if allowed is None else allowed, transport))
    found: list[MediaPacket] = []
    for packet in reading.packets():
        found.append(packet)
        if len(found) >= count:
            reading.close()
    return found


def failure(url: str, allowed: list[str] | None = None) -> Ended:
    with pytest.raises(StreamFailed) as failed:
        read(url, allowed=allowed)
    return failed.value.ended()


@pytest.mark.parametrize(
    ("pipeline", "transport", "codecs"),
    [
        (H264 + MU_LAW, "tcp", {"h264", "pcm_mulaw"}),
        (H264_IN_SDP_ALONE + OPUS, "udp", {"h264", "opus"}),
        (H265, "auto", {"hevc"}),
        (MJPEG, "auto", {"mjpeg"}),
    ],
)
async def test_a_camera_is_read(pipeline: str, transport: Transport, codecs: set[str]) -> None:
    async with rtsp_server(pipeline, user="admin", password="p%&w") as server:
        url = server.url.replace("p%&w", "p%25%26w")
        packets = await asyncio.to_thread(read, url, transport=transport)
    assert {packet.track.codec for packet in packets} == codecs
    times = [packet.dts for packet in packets if packet.track.kind == "video"]
    assert times == sorted(set(times))
    assert any(packet.key for packet in packets)


async def test_a_wrong_password_and_a_missing_one_are_distinguished() -> None:
    async with rtsp_server(H264, user="admin", password="right", userinfo="admin:wrong@") as server:
        wrong = await asyncio.to_thread(failure, server.url)
        missing = await asyncio.to_thread(failure, server.url.replace("admin:wrong@", ""))
    assert (wrong.code, wrong.retry) == ("auth_failed", False)
    assert "refuses" in wrong.message
    assert missing.code == "auth_failed"
    assert "asks for a user" in missing.message
    assert "wrong" not in wrong.message


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http", "https", "rtsps"])
def test_a_private_address_is_not_connected_to_unless_it_is_listed(scheme: str) -> None:
    ended = failure(f"{scheme}://localhost:9/x", [])
    assert (ended.code, ended.retry) == ("address_not_allowed", False)
    assert "pull_allowed_networks" in ended.message
    listed = failure(f"{scheme}://127.0.0.1:9/x")
    assert (listed.code, listed.retry) == ("source_failed", True)


@pytest.mark.parametrize("address", ["169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "[::1]", "0.0.0.0"])
def test_other_ways_to_write_a_private_address_are_refused_too(address: str) -> None:
    assert failure(f"rtsp://{address}/x", ["192.168.0.0/16"]).code == "address_not_allowed"


@contextmanager
def web(folder: Path, redirects: dict[str, str] | None = None) -> Generator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            target = (redirects or {}).get(self.path)
            if target is not None:
                self.send_response(302)
                self.send_header("Location", target)
                self.end_headers()
            elif self.path == "/closed":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="files"')
                self.end_headers()
            elif self.path == "/index_at_its_end.mp4":
                self.give_part((folder / "index_at_its_end.mp4").read_bytes())
            else:
                super().do_GET()

        def give_part(self, data: bytes) -> None:
            begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
            self.send_response(206 if begin else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[begin:])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("web")
    source = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-f", "lavfi", "-i", "sine", "-t", "1"]
    codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "25", "-c:a", "aac"]
    for name in ("clip.mp4", "clip.ts", "clip.m3u8", "index_at_its_end.mp4"):
        index = ["-movflags", "faststart"] if name == "clip.mp4" else []
        command = ["ffmpeg", "-v", "error", *source, *codecs, *index, str(made / name)]
        subprocess.run(command, check=True)
    return made


@pytest.mark.parametrize("name", ["clip.mp4", "index_at_its_end.mp4", "clip.ts", "clip.m3u8", "moved"])
def test_files_and_playlists_are_read_to_their_end(folder: Path, name: str) -> None:
    with web(folder, {"/moved": "/clip.mp4"}) as url:
        packets = read(f"{url}/{name}", 1_000)
        ended_at = time.monotonic_ns() // 1000
    assert ended_at > packets[-1].dts, "the participant would leave before the last picture is shown"
    assert sum(packet.track.kind == "video" for packet in packets) == 25
    assert {packet.track.codec for packet in packets} == {"h264", "aac"}
    assert [packet.key for packet in packets if packet.track.kind == "video"] == [True] + [False] * 24


def test_an_mp4_whose_index_comes_last_needs_range_requests(tmp_path: Path) -> None:
    noise = ["-f", "lavfi", "-i", "nullsrc=size=320x240:rate=25,geq=random(1)*255:128:128", "-t", "2"]
    # More than FFmpeg reads at once, in which it could go back.
    subprocess.run(["ffmpeg", "-v", "error", *noise, "-c:v", "libx264", str(tmp_path / "clip.mp4")], check=True)
    with web(tmp_path) as url:
        ended = failure(f"{url}/clip.mp4")
    assert ended.code == "source_failed"
    assert "faststart" in ended.message
    assert "range" in ended.message


def test_a_server_that_asks_for_a_password_does_not_refuse_one(folder: Path) -> None:
    with web(folder) as url:
        missing, wrong = failure(f"{url}/closed"), failure(f"{url.replace('//', '//ada:wrong@')}/closed")
    assert (missing.code, wrong.code) == ("auth_failed", "auth_failed")
    assert "asks for a user" in missing.message
    assert "refuses the user" in wrong.message


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://10.0.0.1/x", "ftp://127.0.0.1/x", "/loop"])
def test_a_redirect_leads_nowhere_that_was_not_checked(folder: Path, target: str) -> None:
    with web(folder, {"/loop": target}) as url:
        ended = failure(f"{url}/loop")
    assert ended.code == ("address_not_allowed" if "10.0.0.1" in target else "source_failed")
    assert not ended.retry


@pytest.mark.parametrize(
    "entry",
    ["file://{secret}", "{secret}", "concat:{secret}", "subfile,,start,0,end,0,,:{secret}", "data:video/mp2t,x"],
)
def test_a_playlist_leads_to_no_file(folder: Path, tmp_path: Path, entry: str) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes((folder / "clip.ts").read_bytes())
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:1,", entry.format(secret=secret), "#EXT-X-ENDLIST", ""]
    (tmp_path / "bad.m3u8").write_text("\n".join(lines))
    (tmp_path / "pub").mkdir()
    (tmp_path / "pub" / "bad.m3u8").write_text("\n".join(lines))
    with web(tmp_path / "pub") as url:
        assert failure(f"{url}/bad.m3u8").code == "source_failed"
