"""What viewers of HLS can make a node spend has bounds, and blocking requests are those of RFC 8216bis."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import stagedoor.outputs.hls.rooms
from stagedoor.access.admission import Admission
from stagedoor.kernel.errors import BadRequest, NotFound, TooMany, Unavailable
from stagedoor.outputs.hls import reload
from stagedoor.outputs.hls.reload import Waiters, Wanted
from stagedoor.outputs.hls.rooms import HlsRooms
from stagedoor.outputs.hls.settings import HlsSettings
from stagedoor.outputs.hls.viewers import HlsViewers
from stagedoor.streams.media.segments import Initialization, Part
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.usage.running_meters import RunningMeters
from tests.outputs.hls.test_window import INITIALIZATION, filled, part

pytestmark = pytest.mark.anyio


class _Stream:
    """A source whose output is given what the test says."""

    def __init__(self) -> None:
        self.on_media: Any = None
        self.identity = "encoder"
        self.outputs = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start_output(self, order: object, on_media: Any) -> object:
        del order
        self.outputs += 1
        self.on_media = on_media
        return object()

    def stop_output(self, output: object) -> None:
        del output
        self.outputs -= 1


class _Workers:
    """What is sent to rooms, who publishes beside, and the composition of all, if there may be one."""

    def __init__(self) -> None:
        self.streams: dict[str, list[_Stream]] = {}
        self.listener: Any = None
        self.others: set[str] = set()
        self.composition: _Stream | None = None
        self.composing = False

    async def use(self, *_: object) -> _Stream:
        if self.composition is None:
            raise Unavailable("This machine is full.", code="media_workers_full")
        self.composing = True
        return self.composition

    def leave(self, *_: object) -> None:
        self.composing = False

    def streams_to(self, room: str) -> list[_Stream]:
        return self.streams.get(room, [])

    def listen(self, listener: Any) -> None:
        self.listener = listener

    def change(self, room: str, *streams: _Stream) -> None:
        self.streams[room] = list(streams)
        self.listener(room)


def made(max_bytes: int = 1_000, hls: HlsSettings | None = None) -> tuple[HlsRooms, _Workers]:
    async def is_pulled(app_id: str, room: str) -> bool:
        del app_id, room
        return False

    async def app_of(room: str) -> App:
        return admission(room.removeprefix("live-"), hls).app

    async def publishers(room: str) -> set[str]:
        return {stream.identity for stream in workers.streams_to(room)} | workers.others

    workers = _Workers()
    both = cast("Any", workers)
    return HlsRooms(both, RunningMeters(), max_bytes, is_pulled, app_of, both, publishers), workers


def admission(room: str, hls: HlsSettings | None = None) -> Admission:
    app = App("app_1", "org_1", "live", "Live", 0, 0, AppSettings(hls or HlsSettings()))
    return Admission(app, f"live-{room}", "play")


async def test_no_room_begins_when_the_memory_is_full() -> None:
    rooms, workers = made(max_bytes=1_000)
    first, second = _Stream(), _Stream()
    workers.change("live-one", first)
    workers.change("live-two", second)
    await rooms.room(admission("one"))
    first.on_media(INITIALIZATION, b"init")
    first.on_media(part(0), bytes(2_000))
    await rooms.room(admission("one"))
    with pytest.raises(Unavailable) as refused:
        await rooms.room(admission("two"))
    assert refused.value.code == "hls_memory_full"
    rooms.close()
    assert (first.outputs, second.outputs) == (0, 0)


async def test_a_room_without_a_source_and_an_app_without_hls_are_404() -> None:
    rooms, workers = made()
    with pytest.raises(NotFound, match="Nothing is sent"):
        await rooms.room(admission("one"))
    assert not rooms.is_watched("live-one")
    workers.change("live-one", _Stream())
    with pytest.raises(NotFound, match="hlsStart"):
        await rooms.room(admission("one", HlsSettings(start="off")))


async def test_a_room_follows_its_source_and_shows_one_until_it_is_gone() -> None:
    rooms, workers = made()
    first, second = _Stream(), _Stream()
    workers.change("live-one", first)
    room = await rooms.room(admission("one"))
    workers.change("live-one", first, second)
    assert (first.outputs, second.outputs) == (1, 0)
    first.on_media(INITIALIZATION, b"first")
    first.on_media(part(0, ends=True), b"x")
    workers.change("live-one", second)
    assert (first.outputs, second.outputs) == (0, 1)
    second.on_media(Initialization("mp4a.40.2", 0, 0, 0.0), b"second")
    second.on_media(Part(0.5, independent=True, ends=True, at=0), b"y")
    assert b"#EXT-X-DISCONTINUITY\n" in room.media_playlist(skip=False).plain
    assert b"RESOLUTION" not in room.multivariant("video.m3u8")
    rooms.close()


async def test_always_begins_with_the_source_and_does_not_end_while_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms, workers = made(hls=HlsSettings(start="always", idle=0))
    first = _Stream()
    workers.change("live-one", first)
    async with asyncio.timeout(10):
        while not first.outputs:  # noqa: ASYNC110 - a task begins it
            await asyncio.sleep(0)
        monkeypatch.setattr(stagedoor.outputs.hls.rooms, "_SWEEP_SECONDS", 0)
        running = asyncio.create_task(rooms.run())
        for _ in range(20):
            await asyncio.sleep(0)
        assert first.outputs == 1
        assert not rooms.is_watched("live-one"), "it would keep a pull on demand going"
        workers.change("live-one")
        while rooms.find("live-one"):  # noqa: ASYNC110 - it has swept
            await asyncio.sleep(0)
    running.cancel()


async def test_what_is_shown_goes_on_until_the_composition_has_begun() -> None:
    rooms, workers = made(max_bytes=1 << 20)
    encoder = _Stream()
    workers.composition = _Stream()
    workers.change("live-one", encoder)
    room = await rooms.room(admission("one"))
    encoder.on_media(INITIALIZATION, b"encoder")
    encoder.on_media(part(0, ends=True), b"x")
    workers.others = {"moderator"}
    await room.look()
    assert (encoder.outputs, workers.composition.outputs) == (1, 1)
    workers.composition.on_media(INITIALIZATION, b"composed")
    encoder.on_media(part(1, ends=True), b"y")
    assert b"DISCONTINUITY\n" not in room.media_playlist(skip=False).plain
    workers.composition.on_media(Part(0.5, independent=True, ends=True, at=0), b"c")
    assert (encoder.outputs, workers.composition.outputs) == (0, 1)
    assert b"DISCONTINUITY\n" in room.media_playlist(skip=False).plain
    workers.others = set()
    await room.look()
    assert (encoder.outputs, workers.composition.outputs, workers.composing) == (1, 0, False)
    rooms.close()


async def test_a_room_that_cannot_be_composed_is_refused_with_the_reason_unless_an_encoder_is_shown() -> None:
    rooms, workers = made()
    workers.others = {"ann"}
    with pytest.raises(Unavailable) as refused:
        await rooms.room(admission("one"))
    assert refused.value.code == "media_workers_full"
    encoder = _Stream()
    workers.change("live-one", encoder)
    room = await rooms.room(admission("one"))
    await room.look()
    assert encoder.outputs == 1
    rooms.close()


async def test_so_many_requests_wait_for_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "MOST_WAITING", 2)
    waiters, ready = Waiters(), False
    waiting = [asyncio.create_task(waiters.until(lambda: ready, 60)) for _ in range(2)]
    while waiters.count < 2:  # noqa: ASYNC110 - the tasks begin
        await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await waiters.until(lambda: ready, 60)
    ready = True
    waiters.wake()
    assert await asyncio.gather(*waiting) == [True, True]
    assert waiters.count == 0
    assert not await waiters.until(lambda: False, 0.01)


async def test_so_many_watch_a_room() -> None:
    viewers = HlsViewers("app_1", "live-one", RunningMeters())
    viewers.enter("a", 2)
    viewers.enter("b", 2)
    viewers.enter("a", 2)
    with pytest.raises(TooMany):
        viewers.enter("c", 2)
    viewers.leave("a", 0)
    viewers.sweep()
    assert len(viewers) == 2, "a request of it is under way"
    viewers.leave("a", 0)
    viewers.leave("b", 60)
    viewers.sweep()
    assert len(viewers) == 1
    viewers.enter("c", 2)
    viewers.close()
    assert len(viewers) == 0


def test_what_is_too_far_ahead_is_refused() -> None:
    window = filled(3)
    window.add(part(1), b"x")
    number = window.next_number
    for wanted in (Wanted(number, 0), Wanted(number, 6), Wanted(number + 2, None), Wanted(number - 9, 0)):
        wanted.refuse_far_ahead(window, 0.5)
    for wanted in (Wanted(number + 3, None), Wanted(number + 3, 0), Wanted(number, 7)):
        with pytest.raises(BadRequest):
            wanted.refuse_far_ahead(window, 0.5)
    assert window.has(number, 0)
    assert not window.has(number, 1)
    assert not window.has(number, None)
    assert window.has(number - 1, 50), "a part behind a segment's last is the next segment's first"
