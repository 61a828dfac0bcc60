"""Real encoders push to the server, and PyAV reads what comes out: FFmpeg of Debian, FFmpeg 8, librtmp, GStreamer."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.settings import RtmpSettings
from tests.sources.rtmp.test_server import certificate_files
from tests.support.certificates import make_authority
from tests.support.rtmp_pushing import ffmpeg, gstreamer, pyav_push
from tests.support.rtmp_server import KEY, Demuxed, Recording, Served, demux, serving

pytestmark = pytest.mark.anyio
SECONDS = 3


@contextlib.asynccontextmanager
async def pushed(served: Served, command: list[str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def recorded(served: Served, command: list[str]) -> tuple[Recording, Demuxed]:
    """The one stream that a program pushes, to its end."""
    async with pushed(served, command) as process:
        _, errors = await process.communicate()
    assert served.recorder.recordings, errors.decode()
    recording = served.recorder.recordings[0]
    await recording.until_end()
    return recording, demux(bytes(recording.data))


def steady(found: Demuxed) -> None:
    """Whether all is there and in step: 25 pictures a second, and sound over the same time."""
    assert found.decoded >= SECONDS * 25 - 5
    times = [dts for dts, _ in found.pictures]
    assert times == sorted(set(times))
    assert found.sounds == sorted(set(found.sounds))
    assert abs((found.sounds[-1] - found.sounds[0]) - (times[-1] - times[0])) < 200
    assert abs(found.sounds[0] - times[0]) < 150


@pytest.mark.parametrize("b_frames", [0, 3])
async def test_ffmpeg_with_and_without_b_frames(b_frames: int) -> None:
    """Case N10: what is pushed is what is read, composition times included."""
    async with serving() as served:
        _, found = await recorded(served, ffmpeg(f"{served.url}/{KEY}", SECONDS, "-bf", str(b_frames)))
    assert (found.video, found.audio) == ("h264", "aac")
    assert found.reordered == bool(b_frames)
    steady(found)


async def test_ffmpeg_by_rtmps(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    async with serving(certificate=Certificate(*certificate_files(authority, tmp_path))) as served:
        url = f"rtmps://localhost:{served.port}/live/{KEY}"
        recording, found = await recorded(served, ffmpeg(url, SECONDS))
    assert recording.request.tls
    steady(found)


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9", "h264"])
async def test_ffmpeg_8_by_enhanced_rtmp(codec: str) -> None:
    """Case N08."""
    async with serving() as served:
        recording, found = await recorded(served, pyav_push(f"{served.url}/{KEY}", SECONDS, codec, "aac"))
    assert (found.video, found.audio) == (codec if codec != "av1" else found.video, "aac")
    assert "av1" in found.video or codec != "av1"
    assert recording.notices == []
    steady(found)


async def test_opus_by_enhanced_rtmp() -> None:
    async with serving() as served:
        _, found = await recorded(served, pyav_push(f"{served.url}/{KEY}", SECONDS, "h264", "libopus"))
    assert "opus" in found.audio
    steady(found)


@pytest.mark.parametrize("sink", ["rtmp2sink", "rtmpsink"])
async def test_gstreamer_by_itself_and_by_librtmp(sink: str) -> None:
    async with serving() as served:
        recording, found = await recorded(served, gstreamer(sink, f"{served.url}/{KEY}", SECONDS))
    assert recording.request.app == "live"
    assert (found.video, found.audio) == ("h264", "aac")
    assert found.decoded >= SECONDS * 25 - 5


@pytest.mark.parametrize("path", ["{key}", "{key}?x=1", "{key}/", "{key}%20", "a/b/{key}", "stream?key={key}"])
async def test_where_ffmpeg_users_put_the_key(path: str) -> None:
    async with serving() as served:
        await recorded(served, ffmpeg(f"{served.url}/{path.format(key=KEY)}", 1))
        assert served.recorder.refused == []


async def test_a_key_that_stands_in_the_server_field_alone() -> None:
    async with serving() as served:
        recording, _ = await recorded(served, ffmpeg(f"{served.url}/{KEY}/", 1, "-rtmp_playpath", ""))
        assert recording.request.key_candidates[-1] == KEY


@pytest.mark.parametrize(
    ("program", "words"),
    [("ffmpeg", "No stream has this key"), ("rtmp2sink", "denied"), ("rtmpsink", "")],
)
async def test_a_wrong_key_as_encoders_report_it(program: str, words: str) -> None:
    async with serving() as served:
        url = f"{served.url}/wrong"
        command = ffmpeg(url, 20) if program == "ffmpeg" else gstreamer(program, url, 20)
        async with pushed(served, command) as process:
            _, errors = await process.communicate()
    assert process.returncode != 0
    assert words in errors.decode()
    assert not served.recorder.recordings
    assert served.recorder.refused


async def test_playing_is_refused_and_signatures_satisfy_a_client_that_checks_them() -> None:
    """FFmpeg checks the server's signatures when it plays."""
    async with serving() as served:
        command = ["ffmpeg", "-v", "verbose", "-i", f"{served.url}/{KEY}", "-f", "null", "-"]
        async with pushed(served, command) as process:
            _, errors = await process.communicate()
    text = errors.decode()
    assert "plays none" in text
    assert "digest" not in text.lower()


async def test_an_encoder_is_served_while_a_thousand_connections_are_half_open() -> None:
    async with serving(RtmpSettings(rtmp_max_connects_per_second=10_000)) as served:
        strangers: list[asyncio.StreamWriter] = []
        while len(strangers) < 1_000:
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(b"\x03" if len(strangers) % 2 else b"")
            strangers.append(writer)
        _, found = await recorded(served, ffmpeg(f"{served.url}/{KEY}", SECONDS))
        for writer in strangers:
            writer.close()
    steady(found)


async def test_an_encoder_that_is_stopped_by_a_signal_ends_its_stream() -> None:
    async with serving() as served, pushed(served, ffmpeg(f"{served.url}/{KEY}", 60)) as process:
        recording = await served.recorder.first()
        await recording.until_bytes(50_000)
        process.terminate()
        assert "ended" in await recording.until_end()


@pytest.mark.parametrize("sink", ["ffmpeg", "rtmp2sink", "rtmpsink"])
async def test_the_key_as_user_name_of_a_client_that_is_asked_for_it(sink: str) -> None:
    """They keep user and password back until the server asks; `rtmpsink` is librtmp, which OBS sends with."""
    async with serving() as served:
        url = f"rtmp://{KEY}:x@127.0.0.1:{served.port}/login/stream"
        if sink == "rtmpsink":
            url = f"rtmp://127.0.0.1:{served.port}/login/stream pubUser={KEY} pubPasswd=x"
        command = ffmpeg(url, SECONDS) if sink == "ffmpeg" else gstreamer(sink, url, SECONDS)
        _, found = await recorded(served, command)
    steady(found)
