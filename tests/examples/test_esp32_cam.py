"""The sketch for the ESP32-CAM: compiled for Linux and run against a server that gives it trouble.

The board's own toolchain comes from hosts that a test cannot count on; where arduino-cli and the core are installed,
the sketch is compiled for the board as well.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from stagedoor.sources.cameras import close_codes
from stagedoor.streams.jpeg import measure
from tests.examples.device_server import DeviceServer, device_server
from tests.examples.esp32 import SKETCH, Board, board, build, compiled, pictures, trusting
from tests.support.certificates import make_authority
from tests.support.product import eventually

pytestmark = pytest.mark.slow
KEY = "wsk_of_the_door"


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("frames") / "jpeg")


def sketch_for(server: DeviceServer, folder: Path) -> Path:
    values = {"SERVER_HOST": "127.0.0.1", "SERVER_PORT": server.port, "SERVER_TLS": 0, "STREAM_KEY": KEY}
    return build(folder, **values, MAX_FPS=25)


async def frames_come(server: DeviceServer, count: int) -> None:
    before = len(server.frames)

    async def more() -> bool:
        return len(server.frames) >= before + count

    await eventually(more)


async def waits_of(running: Board, count: int = 1) -> list[tuple[int, int]]:
    async def reported() -> bool:
        return len(running.waits()) >= count

    await eventually(reported)
    return running.waits()


async def test_it_shows_its_key_and_sends_whole_pictures_no_faster_than_it_may(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.limits = {"maxFps": 5}
        async with board(sketch_for(server, tmp_path), frames):
            await frames_come(server, 11)
        (request,) = server.tries
        assert request.path_qs == "/ingest/ws?app=live&room=door"
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert "Sec-WebSocket-Protocol" not in request.headers
        times, sent = zip(*server.frames[:11], strict=True)
        assert times[10] - times[0] > 1.9
        assert {measure(frame)[1].width for frame in sent} == {160}
        assert len(set(sent)) == 4


async def test_pictures_are_made_smaller_until_they_fit(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.limits = {"maxFrameBytes": 6000}
        async with board(sketch_for(server, tmp_path), frames) as running:
            await frames_come(server, 20)
        assert max(len(frame) for _, frame in server.frames) <= 6000
        assert any(line.startswith("picture: step") for line in running.lines)
        assert len(server.tries) == 1


async def test_the_camera_sends_its_stats_every_half_minute(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server, board(sketch_for(server, tmp_path), frames, clock=20):

        async def reported() -> bool:
            return len(server.texts) >= 2

        await eventually(reported)
        first, second = server.texts[:2]
        assert set(first) == {"type", "rssi", "heap", "uptime", "frames", "drops", "step"}
        assert first["type"] == "stats"
        assert 25 <= second["uptime"] - first["uptime"] <= 35
        assert second["frames"] > first["frames"] > 0


@pytest.mark.parametrize(
    ("status", "least", "most"),
    [
        (401, 600, 900),
        (403, 600, 900),
        (404, 600, 900),
        (409, 60, 120),
        (429, 60, 120),
        (503, 1, 2),
    ],
)
async def test_a_refusal_is_not_hammered(tmp_path: Path, frames: Path, status: int, least: int, most: int) -> None:
    async with device_server() as server:
        server.refusal = status
        async with board(sketch_for(server, tmp_path), frames) as running:
            ((code, wait), *_) = await waits_of(running)
            assert code == status
            assert least * 1000 <= wait <= most * 1000
            if least > 1:
                await asyncio.sleep(1)  # the library's own interval is half a second
                assert len(server.tries) == 1


async def test_it_comes_back_when_the_refusal_is_over(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.refusal = 401
        async with board(sketch_for(server, tmp_path), frames, clock=500) as running:
            await waits_of(running)
            server.refusal = None
            await frames_come(server, 1)


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [
        (4401, 600, 900),
        (4408, 1, 2),
        (4409, 60, 120),
        (4413, 1, 2),
        (4429, 1, 2),
        (1003, 1, 2),
        (1001, 1, 10),
        (1012, 1, 10),
    ],
)
async def test_a_close_is_understood(tmp_path: Path, frames: Path, code: int, least: int, most: int) -> None:
    async with device_server() as server:
        server.close_after, server.close_code = 3, code
        async with board(sketch_for(server, tmp_path), frames) as running:
            ((reported, wait), *_) = await waits_of(running)
            assert reported == code
            assert least * 1000 <= wait <= most * 1000
            assert ("picture: step 1 of 19" in running.lines) == (code == 4413)


async def test_pictures_are_made_larger_again_when_they_are_far_from_the_limit(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.close_after, server.close_code = 3, 4413
        async with board(sketch_for(server, tmp_path), frames, clock=20) as running:
            await waits_of(running)
            server.close_after = None

            async def larger() -> bool:
                return "picture: step 0 of 19" in running.lines

            await eventually(larger)


async def test_too_fast_makes_it_slower(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.close_after, server.close_code = 3, 4429
        async with board(sketch_for(server, tmp_path), frames) as running:

            async def back() -> bool:
                return sum(line.startswith("ready") for line in running.lines) == 2

            await eventually(back)
        assert [line.split(",")[0] for line in running.lines if line.startswith("ready")] == [
            "ready: a frame every 40 ms",
            "ready: a frame every 80 ms",
        ]


async def test_a_lost_connection_is_made_again_each_time_later(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        server.close_after, server.abort = 1, True
        async with board(sketch_for(server, tmp_path), frames, clock=20) as running:
            waits = [wait for _, wait in await waits_of(running, 8)]
        for number, wait in enumerate(waits[:8]):
            most = min(60_000, 2000 * 2**number)
            assert most / 2 <= wait <= most
        assert len({wait % 1000 for wait in waits}) > 4, "the pauses of a fleet must differ"


async def test_waits_grow_while_no_server_answers(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        program = sketch_for(server, tmp_path)
    async with board(program, frames, clock=20) as running:
        waits = await waits_of(running, 3)
        assert waits[2][1] > waits[0][1]


async def test_wss_goes_to_the_server_of_its_certificate_only(tmp_path: Path, frames: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "others").mkdir()
    ours, others = make_authority(tmp_path / "ours"), make_authority(tmp_path / "others")
    async with device_server(ours.serving("localhost")) as server:
        build(tmp_path, SERVER_HOST="localhost", SERVER_PORT=server.port, STREAM_KEY=KEY)
        for authority in (others, ours):
            pem = authority.certificate.public_bytes(serialization.Encoding.PEM).decode()
            trusting(tmp_path / "esp32-cam", pem)
            async with board(compiled(tmp_path / "esp32-cam"), frames, clock=5) as running:
                if authority is others:
                    await waits_of(running, 2)
                    assert server.tries == []
                else:
                    await frames_come(server, 3)


async def test_a_board_without_memory_for_pictures_says_so(tmp_path: Path, frames: Path) -> None:
    async with device_server() as server:
        async with board(sketch_for(server, tmp_path), frames, clock=500, psram=False) as running:
            assert await asyncio.wait_for(running.process.wait(), 10) == 3
        assert running.lines[0].startswith("no PSRAM")


def test_its_page_names_every_close() -> None:
    page = (SKETCH.parents[1] / "docs" / "how-to" / "devices" / "esp32-cam.md").read_text()
    closes = [value for value in vars(close_codes).values() if isinstance(value, close_codes.Close)]
    assert len(closes) > 5
    assert {str(close.code) for close in closes} <= set(re.findall(r"\b\d{4}\b", page))


async def test_a_camera_that_gives_no_pictures_restarts_the_board(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    async with device_server() as server:
        async with board(sketch_for(server, tmp_path), tmp_path / "none") as running:
            assert await asyncio.wait_for(running.process.wait(), 10) == 3
        assert server.frames == []


@pytest.mark.skipif(shutil.which("arduino-cli") is None, reason="no arduino-cli: not compiled for the board")
def test_it_compiles_for_the_board(tmp_path: Path) -> None:
    copy = tmp_path / "esp32-cam"
    shutil.copytree(SKETCH, copy)
    done = subprocess.run(
        ["arduino-cli", "compile", "--profile", "esp32cam", "--warnings", "all", str(copy)],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
