"""What dies comes back by itself, and takes nothing else with it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from livekit.api import LiveKitAPI
from livekit.protocol.room import ListParticipantsRequest, RoomParticipantIdentity

from stagedoor.kernel.errors import Unavailable
from stagedoor.processes.procinfo import inspect
from stagedoor.streams.media.flv import NotFlv
from stagedoor.streams.media.protocol import Connecting, FlvInput, PublishTarget
from stagedoor.streams.media.stream import StreamSpec
from tests.streams.media.publishing import media_workers, playing, published, token, watched
from tests.support.api_tenant import fresh
from tests.support.flv import HEADER, Tag, encode, play
from tests.support.jpegs import BLUE, RED
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually


def exists(pid: int) -> bool:
    """Whether the process lives; one that has ended and is not reaped does not."""
    return inspect(pid) is not None


async def test_a_killed_worker_is_replaced_and_the_participant_is_the_same(bare_livekit: ExternalLiveKit) -> None:
    """The group of pictures is long: the new worker goes on from what the main process has kept."""
    room = fresh("room")
    # Before anything runs: on a busy machine it takes half a minute, for which the workers' parent would stand still.
    red, blue = encode(60, group=1500), encode(60, colour=BLUE, audio=None)
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        published(workers, bare_livekit, room, identity="other") as other,
        playing(one, red),
        playing(other, blue),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)
        await ann.until(lambda picture: picture.is_of(320, 240, BLUE), count=10)
        for number in (1, 2):
            pid = one.stream.worker_pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

            async def lost(pid: int = pid) -> bool:
                return one.stream.worker_pid not in {pid, None}

            await eventually(lost)
            killed = time.monotonic()
            await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)
            assert time.monotonic() - killed < 10
            assert one.stream.restarts == number
        assert "enc" in ann.room.remote_participants
        assert any(isinstance(report, Connecting) for report in one.reports)
        assert other.stream.restarts == 0


async def test_a_worker_that_hangs_is_replaced(bare_livekit: ExternalLiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagedoor.streams.media.stream._HANGING_SECONDS", 3.0)
    room = fresh("room")
    tags = encode(60, size=(640, 360), options={"preset": "ultrafast", "qp": "10"})
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
    ):
        sending = asyncio.create_task(play(tags, one.stream.write))
        await ann.until(lambda picture: picture.is_of(640, 360, RED), count=5)
        pid = one.stream.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

        async def replaced() -> bool:
            return one.stream.worker_pid not in {pid, None}

        await eventually(replaced)
        await ann.until(lambda picture: picture.is_of(640, 360, RED), count=5, seconds=30)
        assert not await asyncio.to_thread(exists, pid)
        sending.cancel()


async def test_a_stream_whose_workers_keep_crashing_ends(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(60, audio=None)),
    ):
        killed: set[int] = set()

        async def over() -> bool:
            pid = one.stream.worker_pid
            if pid is not None and pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
            return one.ended is not None

        await eventually(over)
        assert len(killed) == 5
        assert one.ended is not None
        assert one.ended.code == "worker_failed"


async def test_streams_live_on_without_the_process_that_forked_their_workers(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(60)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)
        assert workers.spawner_pid is not None
        os.kill(workers.spawner_pid, signal.SIGKILL)
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)
        assert one.stream.restarts == 0
        async with (
            published(workers, bare_livekit, room, identity="other") as other,
            playing(other, encode(60, colour=BLUE)),
        ):
            await ann.until(lambda picture: picture.is_of(320, 240, BLUE), count=10)


async def test_livekit_is_killed_and_comes_back(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(90)),
    ):
        await one.until_published()
        bare_livekit.kill()
        await asyncio.to_thread(bare_livekit.start)
        async with watched(bare_livekit, room) as ann:
            await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10, seconds=40)
        assert one.stream.restarts > 0
        assert one.ended is None


async def test_without_livekit_the_reason_is_reported_when_it_is_stopped() -> None:
    async def target() -> PublishTarget:
        return PublishTarget("http://127.0.0.1:9/whip/v1", "token")

    async with media_workers() as workers:
        stream = workers.open(StreamSpec("gone", FlvInput(), target, lambda _: None))
        stream.write(HEADER)
        sending = asyncio.create_task(play(encode(60), stream.write, drained=stream.drained))

        async def retried() -> bool:
            return stream.restarts > 0

        await eventually(retried)
        assert stream.last_failure is not None
        assert stream.last_failure.code == "livekit_unreachable"
        assert "127.0.0.1:9" in stream.last_failure.message
        sending.cancel()
        await stream.stop()
        assert stream.ended.result().code == "stopped"


async def test_who_is_removed_stays_out(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(60)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=5)
        async with LiveKitAPI(bare_livekit.url, KEY, SECRET) as its:
            await its.room.remove_participant(RoomParticipantIdentity(room=room, identity="enc"))
            before = len(one.reports)

            # The worker sees the DTLS alert, unless FFmpeg reads it between two looks: then LiveKit's webhook ends
            # the stream (tests/sources/ingress/test_sessions.py). Reports come every few seconds.
            async def over_or_going_on() -> bool:
                return one.ended is not None or len(one.reports) >= before + 3

            await eventually(over_or_going_on, 60)
            if one.ended is not None:
                assert (one.ended.code, one.ended.retry) == ("removed_from_room", False), one.ended
            assert one.stream.restarts == 0
            # Of LiveKit: another participant's client learns of it a moment later.
            answer = await its.room.list_participants(ListParticipantsRequest(room=room))
            assert "enc" not in {participant.identity for participant in answer.participants}


def scrambled(tags: list[Tag]) -> list[Tag]:
    """Every body is noise, with its first bytes kept so that it is taken for media."""
    noise = random.Random(1)
    return [
        Tag(one.data[:16] + noise.randbytes(len(one.data) - 20) + one.data[-4:]) if not one.is_header else one
        for one in tags
        if len(one.data) > 20
    ]


def headers_scrambled(tags: list[Tag]) -> list[Tag]:
    noise = random.Random(2)
    return [
        Tag(one.data[:13] + noise.randbytes(len(one.data) - 17) + one.data[-4:]) for one in tags if len(one.data) > 17
    ]


def cut(tags: list[Tag]) -> list[Tag]:
    """Bodies that end early, in tags that are whole."""
    from tests.support.flv import tag

    return [tag(one.kind, one.ms, one.body[: max(2, len(one.body) // 3)]) for one in tags]


@pytest.mark.parametrize("spoil", [scrambled, headers_scrambled, cut])
async def test_garbage_costs_no_other_stream_anything(
    bare_livekit: ExternalLiveKit, spoil: Callable[[list[Tag]], list[Tag]]
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as good,
        published(workers, bare_livekit, room, identity="bad") as bad,
        playing(good, encode(30)),
        playing(bad, spoil(encode(10, colour=BLUE))) as spoiling,
    ):
        await spoiling
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert good.stream.restarts == 0
        assert bad.stream.restarts == 0, "the worker died of it"


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HEADER + b"\x09\xff\xff\xff" + bytes(20)])
async def test_what_is_no_flv_is_refused(bare_livekit: ExternalLiveKit, data: bytes) -> None:
    async def target() -> PublishTarget:
        return PublishTarget(f"{bare_livekit.url}/whip/v1", "token")

    async with media_workers() as workers:
        stream = workers.open(StreamSpec("none", FlvInput(), target, lambda _: None))
        with pytest.raises(NotFlv):
            stream.write(data)
        await stream.stop()


async def test_more_than_the_machine_can_take_is_refused_with_the_reason(bare_livekit: ExternalLiveKit) -> None:
    async def target() -> PublishTarget:
        return PublishTarget(f"{bare_livekit.url}/whip/v1", "token")

    def spec(number: int) -> StreamSpec:
        return StreamSpec(f"stream-{number}", FlvInput(), target, lambda _: None)

    async with media_workers(load=0.1 / (os.cpu_count() or 1)) as workers:
        for number in range(2):
            workers.open(spec(number))
        with pytest.raises(Unavailable) as refused:
            workers.open(spec(3))
        assert refused.value.code == "media_workers_full"
        assert "media_load" in str(refused.value)
    with pytest.raises(Unavailable) as stopping:
        workers.open(spec(4))
    assert stopping.value.code == "media_workers_stopping"


async def test_all_leave_when_the_product_stops(bare_livekit: ExternalLiveKit) -> None:
    """As LiveKit has it: the SDK's client misses participants now and then when three come at once."""
    room = fresh("room")
    async with LiveKitAPI(bare_livekit.url, KEY, SECRET) as livekit:

        async def present() -> set[str]:
            answer = await livekit.room.list_participants(ListParticipantsRequest(room=room))
            return {participant.identity for participant in answer.participants}

        async with media_workers() as workers:
            for number in range(3):

                async def target(number: int = number) -> PublishTarget:
                    return PublishTarget(f"{bare_livekit.url}/whip/v1", token(room, f"enc-{number}"))

                stream = workers.open(StreamSpec(f"{room}-{number}", FlvInput(), target, lambda _: None))
                stream.write(HEADER)
                for one in encode(1):
                    stream.write(one.data)

            async def all_in() -> bool:
                return await present() == {"enc-0", "enc-1", "enc-2"}

            await eventually(all_in)
            pids = [pid for pid in workers.pids if pid is not None]
            assert len(pids) == 4

        async def all_left() -> bool:
            return not await present() and not any(exists(pid) for pid in pids)

        await eventually(all_left)


async def test_back_pressure_reaches_the_encoder(bare_livekit: ExternalLiveKit) -> None:
    """A worker that stands still is not fed without an end, and what is dropped ends at a key frame."""
    room = fresh("room")
    # Before anything runs: it takes longer than a worker may hang.
    tags = encode(20, size=(1280, 720), group=25, options={"preset": "ultrafast", "qp": "1"})
    async with media_workers() as workers, published(workers, bare_livekit, room) as one, playing(one, encode(2)):
        await one.until_published()
        pid = one.stream.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            for tag in tags:
                one.stream.write(tag.data)
            assert 0 < one.stream.buffered <= 5 << 20
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.stream.drained(), 0.2)
        finally:
            os.kill(pid, signal.SIGCONT)
        await asyncio.wait_for(one.stream.drained(), 30)
