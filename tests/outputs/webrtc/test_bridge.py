"""A camera's frames reach real participants through a real LiveKit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from livekit.api import AccessToken, LiveKitAPI, VideoGrants
from livekit.protocol.room import DeleteRoomRequest, RoomParticipantIdentity

from stagedoor.kernel.metrics import REGISTRY
from stagedoor.outputs.webrtc.bridge import Bridge
from stagedoor.outputs.webrtc.protocol import Order
from stagedoor.streams.hub import Slot
from tests.support.api_tenant import fresh
from tests.support.jpegs import BLUE, GREEN, RED, broken, jpeg, sending
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually
from tests.support.watching import Watcher, watching


def url(livekit: ExternalLiveKit) -> str:
    return livekit.url.replace("http", "ws", 1)


def token(room: str, identity: str) -> str:
    grants = VideoGrants(room_join=True, room=room)
    return AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("stagedoor_camera_bridge_frames_total", {"outcome": outcome}) or 0.0


@asynccontextmanager
async def bridged(livekit: ExternalLiveKit, room: str, slot: Slot) -> AsyncGenerator[tuple[Bridge, asyncio.Task[str]]]:
    bridge = Bridge(Order(url(livekit), token(room, "cam"), 30), slot)
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge, task
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def watched(livekit: ExternalLiveKit, room: str, identity: str = "ann") -> AsyncGenerator[Watcher]:
    async with watching(url(livekit), token(room, identity)) as watcher:
        yield watcher


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def is_published(bridge: Bridge) -> None:
    async def look() -> bool:
        return bridge.published

    await eventually(look)


async def test_a_viewer_sees_the_cameras_picture_move(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    async with (
        sending(slot, 15, lambda number: jpeg(320, 240, RED, number)),
        watched(bare_livekit, room) as ann,
        bridged(bare_livekit, room, slot) as (bridge, task),
    ):
        seen = await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert len({picture.bar for picture in seen}) > 10, "the picture stands still"
        camera = ann.room.remote_participants["cam"]
        [publication] = camera.track_publications.values()
        assert (publication.name, publication.source, publication.mime_type.lower()) == ("camera", 1, "video/h264")
        assert bridge.published
        pid = bridge.pid
        assert pid is not None
        task.cancel()
        await asyncio.wait([task])
        assert not bridge.published
        assert not await asyncio.to_thread(alive, pid)

        async def left() -> bool:
            return "cam" not in ann.room.remote_participants

        await eventually(left, 3)


async def test_who_comes_late_to_a_slow_camera_sees_its_last_picture_at_once(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    async with (  # a frame a minute
        sending(slot, 1 / 60, lambda _: jpeg(320, 240, GREEN)),
        bridged(bare_livekit, room, slot) as (bridge, _),
    ):
        await is_published(bridge)
        waits: list[float] = []
        for number in range(6):
            async with watched(bare_livekit, room, f"viewer-{number}") as watcher:
                await watcher.until(lambda picture: picture.is_of(320, 240, GREEN), seconds=5)
                waits.append(time.monotonic() - watcher.came_at)
        # Without key frames on demand it is up to two seconds and a half.
        assert max(waits[1:]) < 1.5, waits


async def test_the_size_changes_and_may_be_odd(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    sizes = [(320, 240, RED), (641, 481, GREEN), (160, 120, BLUE)]
    now = 0
    async with (
        sending(slot, 15, lambda number: jpeg(*sizes[now], number)),
        watched(bare_livekit, room) as ann,
        bridged(bare_livekit, room, slot),
    ):
        for now, (width, height, colour) in enumerate(sizes):  # noqa: B007 - the camera reads it
            wanted = (width & ~1, height & ~1, colour)
            await ann.until(lambda picture: picture.is_of(*wanted), count=3)  # noqa: B023 - awaited here


@pytest.mark.parametrize("sampling", ["420", "444", "440", "Gray"])
async def test_every_kind_of_jpeg_is_shown(bare_livekit: ExternalLiveKit, sampling: str) -> None:
    room, slot = fresh("room"), Slot()
    shade = (96, 96, 96) if sampling == "Gray" else BLUE
    async with (
        sending(slot, 10, lambda number: jpeg(160, 120, shade, number, "422" if sampling == "Gray" else sampling)),
        watched(bare_livekit, room) as ann,
        bridged(bare_livekit, room, slot),
    ):
        await ann.until(lambda picture: picture.is_of(160, 120, shade))


async def test_a_broken_frame_is_skipped_and_counted(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    before = count("undecodable"), count("too_large")
    too_large, sent_too_large = jpeg(4096, 2304, RED), 0

    def make(number: int) -> bytes:
        nonlocal sent_too_large
        if number % 21 == 20:  # again and again: a frame that comes while another one is waited for is dropped
            sent_too_large += 1
            return too_large
        return broken(jpeg(320, 240, RED)) if number % 5 == 0 else jpeg(320, 240, BLUE, number)

    async with (
        sending(slot, 15, make),
        watched(bare_livekit, room) as ann,
        bridged(bare_livekit, room, slot),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, BLUE), count=30)
        assert {(picture.width, picture.height) for picture in ann.pictures} == {(320, 240)}
        assert all(picture.is_of(320, 240, BLUE) for picture in ann.pictures), "a broken frame was shown"

        async def counted() -> bool:
            return count("undecodable") >= before[0] + 3 and count("too_large") > before[1]

        await eventually(counted)
        assert count("too_large") <= before[1] + sent_too_large


async def test_frames_do_not_queue_while_the_process_is_held_up(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    colour = RED
    async with (
        sending(slot, 20, lambda number: jpeg(160, 120, colour, number)),
        watched(bare_livekit, room) as ann,
        bridged(bare_livekit, room, slot) as (bridge, _),
    ):
        await ann.until(lambda picture: picture.is_of(160, 120, RED), count=3)
        assert bridge.pid is not None
        late, before = count("late"), len(ann.pictures)
        os.kill(bridge.pid, signal.SIGSTOP)
        await sent(slot, 40)
        colour = BLUE
        await sent(slot, 3)
        os.kill(bridge.pid, signal.SIGCONT)
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE))
        old = [picture for picture in ann.pictures[before:] if picture.is_of(160, 120, RED)]
        assert len(old) <= 3, "frames of before waited in the pipe"
        assert count("late") >= late + 40


async def sent(slot: Slot, frames: int) -> None:
    """The camera has sent so many more frames."""
    assert slot.newest is not None
    until = slot.newest.number + frames

    async def look() -> bool:
        return slot.newest is not None and slot.newest.number >= until

    await eventually(look)


async def killed(_: ExternalLiveKit, __: str, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def asked_to_end(_: ExternalLiveKit, __: str, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


async def removed(livekit: ExternalLiveKit, room: str, _: int) -> None:
    async with LiveKitAPI(livekit.url, KEY, SECRET) as its:
        await its.room.remove_participant(RoomParticipantIdentity(room=room, identity="cam"))


async def deleted(livekit: ExternalLiveKit, room: str, _: int) -> None:
    async with LiveKitAPI(livekit.url, KEY, SECRET) as its:
        await its.room.delete_room(DeleteRoomRequest(room=room))


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (killed, "the process ended with -9"),
        (asked_to_end, "left"),
        (removed, "PARTICIPANT_REMOVED"),
        (deleted, "ROOM_DELETED"),
    ],
)
async def test_it_says_why_it_ended_and_leaves_no_process(
    bare_livekit: ExternalLiveKit, end: Callable[[ExternalLiveKit, str, int], Awaitable[None]], reason: str
) -> None:
    room, slot = fresh("room"), Slot()
    async with (
        sending(slot, 10, lambda number: jpeg(160, 120, RED, number)),
        bridged(bare_livekit, room, slot) as (bridge, task),
    ):
        await is_published(bridge)
        pid = bridge.pid
        assert pid is not None
        await end(bare_livekit, room, pid)
        assert await asyncio.wait_for(task, 10) == reason
        assert not bridge.published
        assert not await asyncio.to_thread(alive, pid)


async def test_it_outlives_a_restart_of_livekit(bare_livekit: ExternalLiveKit) -> None:
    room, slot = fresh("room"), Slot()
    async with (
        sending(slot, 10, lambda number: jpeg(160, 120, RED, number)),
        bridged(bare_livekit, room, slot) as (bridge, task),
    ):
        await is_published(bridge)
        bare_livekit.kill()
        await asyncio.to_thread(bare_livekit.start)
        async with watched(bare_livekit, room) as ann:
            await ann.until(lambda picture: picture.is_of(160, 120, RED), count=3)
            await removed(bare_livekit, room, 0)
            assert await asyncio.wait_for(task, 10) == "PARTICIPANT_REMOVED"


async def test_without_livekit_it_says_so(bare_livekit: ExternalLiveKit) -> None:
    bridge = Bridge(Order("ws://127.0.0.1:9", token("nowhere", "cam"), 30), Slot())
    reason = await asyncio.wait_for(bridge.run(), 20)
    assert reason.startswith("ConnectError")
    assert not bridge.published


async def test_a_process_that_hangs_is_ended(bare_livekit: ExternalLiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagedoor.outputs.webrtc.bridge._ANSWER_SECONDS", 3.0)
    monkeypatch.setattr("stagedoor.outputs.webrtc.bridge._LEAVING_SECONDS", 0.5)
    room, slot = fresh("room"), Slot()
    async with (
        sending(slot, 10, lambda number: jpeg(160, 120, RED, number)),
        bridged(bare_livekit, room, slot) as (bridge, task),
    ):
        await is_published(bridge)
        pid = bridge.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert await asyncio.wait_for(task, 10) == "the process did not answer for 3 s"
        assert not await asyncio.to_thread(alive, pid)


async def test_the_process_has_no_secrets(bare_livekit: ExternalLiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "a-secret-that-nobody-sees")
    async with bridged(bare_livekit, fresh("room"), Slot()) as (bridge, _):

        async def environment() -> bytes:
            found = (
                b"" if bridge.pid is None else await asyncio.to_thread(Path(f"/proc/{bridge.pid}/environ").read_bytes)
            )
            return found if b"RUST_LOG=error" in found else b""

        assert b"a-secret-that-nobody-sees" not in await eventually(environment)


ORPHAN = """
import asyncio, sys
from stagedoor.outputs.webrtc.bridge import Bridge
from stagedoor.outputs.webrtc.protocol import Order
from tests.support.jpegs import RED, jpeg, sending
from stagedoor.streams.hub import Slot

async def main():
    slot = Slot()
    bridge = Bridge(Order(sys.argv[1], sys.argv[2], 30), slot)
    async with sending(slot, 10, lambda number: jpeg(160, 120, RED, number)):
        task = asyncio.create_task(bridge.run())
        while not bridge.published:
            await asyncio.sleep(0.05)
        print(bridge.pid, flush=True)
        await task

asyncio.run(main())
"""


async def test_nothing_is_left_when_the_product_is_killed(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with watched(bare_livekit, room) as ann:
        product = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ORPHAN, url(bare_livekit), token(room, "cam"), stdout=asyncio.subprocess.PIPE
        )
        assert product.stdout is not None
        pid = int(await asyncio.wait_for(product.stdout.readline(), 20))
        await ann.until(lambda picture: picture.is_of(160, 120, RED))
        product.kill()
        await product.wait()

        async def left() -> bool:
            return not alive(pid) and "cam" not in ann.room.remote_participants

        await eventually(left)
