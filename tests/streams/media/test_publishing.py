"""An encoder's stream reaches participants through a real LiveKit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.streams.media.publishing import media_workers, playing, published, watched
from tests.support.api_tenant import fresh
from tests.support.flv import encode
from tests.support.jpegs import RED
from tests.support.product import ExternalLiveKit, eventually


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def proc_file(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def test_a_stream_without_b_frames_is_passed_through(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(20)),
    ):
        seen = await ann.until(lambda picture: picture.is_of(320, 240, RED), count=60)
        assert len({picture.bar for picture in seen}) > 20, "the picture stands still"
        video = one.video
        assert video is not None
        assert (video.codec, video.width, video.height, video.passthrough, video.reason) == (
            "h264",
            320,
            240,
            True,
            None,
        )
        tracks = ann.room.remote_participants["enc"].track_publications.values()
        assert {track.mime_type.lower() for track in tracks} == {"video/h264", "audio/opus"}


async def test_a_viewer_who_comes_late_need_not_wait_for_the_encoders_key_frame(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(40, group=1000)),
    ):
        await one.until_published()
        for number in range(4):
            async with watched(bare_livekit, room, f"viewer-{number}") as viewer:
                await viewer.until(lambda picture: picture.is_of(320, 240, RED), seconds=10)
                waited = time.monotonic() - viewer.came_at
                assert waited < 5, "the viewer waited for a key frame that comes every 40 s"
        assert one.video is not None
        assert one.video.passthrough


async def test_stopping_leaves_the_room_and_no_process(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with media_workers() as workers, watched(bare_livekit, room) as ann:
        async with published(workers, bare_livekit, room) as one, playing(one, encode(20)):
            await ann.until(lambda picture: picture.is_of(320, 240, RED))
            pid = one.stream.worker_pid
            assert pid is not None
        assert one.ended is not None
        assert (one.ended.code, one.ended.retry) == ("stopped", False)

        async def left() -> bool:
            return not exists(pid) and "enc" not in ann.room.remote_participants

        await eventually(left)


async def test_workers_have_no_secrets(bare_livekit: ExternalLiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "a-secret-that-nobody-sees")
    room = fresh("room")
    async with media_workers() as workers, published(workers, bare_livekit, room) as one, playing(one, encode(10)):
        await one.until_published()
        pid = one.stream.worker_pid
        assert pid is not None
        environment, command = proc_file(pid, "environ"), proc_file(pid, "cmdline")
        assert b"PATH=" in environment
        assert b"a-secret-that-nobody-sees" not in environment
        assert os.fsencode("stagedoor.streams.media.child") in command
