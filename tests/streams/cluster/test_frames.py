"""Frames on the way: bounded at the one end, distinguished at the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.frame_publisher import FramePublisher
from stagedoor.streams.cluster.messages import Message, Names, RemoteFrame
from stagedoor.streams.cluster.remote_stream import RemoteStream
from stagedoor.streams.hub import EndOfStream, Frame, Slot
from stagedoor.streams.jpeg import Size
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings

SIZE = Size(640, 480)


class SlowRedis:
    """Answers a batch when the test lets it.

    Attributes:
        taken: What was published, batch by batch.
        answers: How many listened to each frame of a batch.
    """

    def __init__(self) -> None:
        self.taken: list[list[bytes]] = []
        self.answers: asyncio.Queue[int] = asyncio.Queue()
        self._batch: list[bytes] = []

    def pipeline(self, *, transaction: bool) -> SlowRedis:
        assert not transaction
        self._batch = []
        return self

    def publish(self, channel: str, message: bytes) -> None:
        assert channel == "stagedoor:0:frames:live-x"
        self._batch.append(message)

    async def execute(self) -> list[int]:
        self.taken.append(self._batch)
        count = await self.answers.get()
        return [count] * len(self._batch)


class Sends:
    """What a frame publisher needs of a camera."""

    def __init__(self) -> None:
        self.room = "live-x"
        self.slot = Slot()
        self.slot.begin()

    def frames(self, *datas: bytes) -> None:
        for data in datas:
            self.slot.publish(1, data, SIZE)


async def settle() -> None:
    """Let every task go on until it waits for something else than its turn."""
    for _ in range(10):
        await asyncio.sleep(0)


def sent(redis: SlowRedis) -> list[list[bytes]]:
    found = [[messages.unpack(message) for message in batch] for batch in redis.taken]
    return [[frame.data for frame in batch if frame is not None] for batch in found]


async def test_while_redis_is_busy_only_the_newest_waits() -> None:
    redis: Any = SlowRedis()
    camera: Any = Sends()
    publisher = FramePublisher(redis, Names(0))
    work = asyncio.create_task(publisher.run())
    publisher.feed(camera, "token")
    await settle()
    for batch in ((b"1",), (b"2", b"3", b"4"), (b"5", b"6")):
        camera.frames(*batch)
        await settle()
    assert sent(redis) == [[b"1"]]
    redis.answers.put_nowait(1)
    await settle()
    assert sent(redis) == [[b"1"], [b"6"]]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.mark.parametrize("asked_meanwhile", [False, True])
async def test_publishing_ends_without_subscribers_unless_one_has_just_begun(asked_meanwhile: bool) -> None:
    redis: Any = SlowRedis()
    camera: Any = Sends()
    publisher = FramePublisher(redis, Names(0))
    work = asyncio.create_task(publisher.run())
    camera.frames(b"1")
    publisher.feed(camera, "token")
    await settle()
    if asked_meanwhile:
        publisher.feed(camera, "token")
    redis.answers.put_nowait(0)
    await settle()
    camera.frames(b"2")
    redis.answers.put_nowait(1)
    await settle()
    assert sent(redis) == ([[b"1"], [b"1"], [b"2"]] if asked_meanwhile else [[b"1"]])
    assert camera.slot.viewers == asked_meanwhile, "it looks at the camera while somebody listens, and not otherwise"
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def carried(token: str, number: int) -> RemoteFrame:
    return RemoteFrame(token, number, 1, 4, 4, f"{token}{number}".encode())


async def test_frames_of_two_connections_never_mix() -> None:
    slot = Slot()
    relayed = RemoteStream(slot, AppSettings())
    shown: list[bytes] = []

    def take(token: str, number: int) -> None:
        relayed.take(carried(token, number))
        if slot.newest is not None and slot.newest.data not in shown[-1:]:
            shown.append(slot.newest.data)

    take("a", 1)
    assert shown == [], "nobody said that it came"
    assert relayed.follow("a")
    for token, number in (("a", 2), ("b", 9), ("a", 2), ("a", 1), ("a", 3)):
        take(token, number)
    relayed.on_message(Message("online", "node", "live-x", "b"))
    for token, number in (("a", 4), ("b", 1), ("a", 5), ("b", 2)):
        take(token, number)
    assert shown == [b"a2", b"a3", b"b1", b"b2"]
    relayed.on_message(Message("offline", "node", "live-x", "a"))
    assert slot.sending, "what went was the older one"
    relayed.on_message(Message("offline", "node", "live-x", "b"))
    take("b", 3)
    assert not slot.sending
    assert slot.newest is None
    slot.end()


async def test_viewers_of_a_camera_that_never_was_there_wait_no_longer_than_others() -> None:
    slot = Slot()
    relayed = RemoteStream(slot, AppSettings(StreamSettings(resume=0)))
    with slot.view() as viewer:
        relayed.lose()
        with pytest.raises(EndOfStream):
            await viewer.next()


@given(st.integers(1, 2**60), st.integers(0, 2**60), st.integers(1, 65535), st.integers(1, 65535), st.binary())
def test_a_frame_arrives_as_it_was(number: int, at: int, width: int, height: int, data: bytes) -> None:
    token = messages.new_token()
    message = messages.pack(token, Frame(number, at, data, Size(width, height)))
    assert messages.unpack(message) == RemoteFrame(token, number, at, width, height, data)


@given(st.binary())
def test_what_others_say_on_our_channels_is_harmless(message: bytes) -> None:
    messages.unpack(message)
    messages.decode_message(message)
    messages.claim(message)
