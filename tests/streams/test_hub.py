"""The newest frame wins: no viewer gets an old one, none waits for a slow one, and what was missed is counted."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.hub import Hub, Slot
from stagedoor.streams.jpeg import Size

SIZE = Size(4, 4)


async def test_a_viewer_gets_the_newest_and_counts_what_it_missed() -> None:
    slot = Slot()
    slot.publish(1, b"a", SIZE)
    with slot.view() as fast, slot.view() as slow:
        assert (await fast.next()).data == b"a"
        for data in (b"b", b"c"):
            slot.publish(2, data, SIZE)
            assert (await fast.next()).data == data
        assert (await slow.next()).data == b"c"
        assert (fast.dropped, slow.dropped) == (0, 2)
        waiting = asyncio.create_task(slow.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        slot.publish(3, b"d", SIZE)
        assert (await waiting).data == b"d"


async def test_a_viewer_that_goes_away_while_it_waits_takes_nothing_along() -> None:
    slot = Slot()
    with slot.view() as stays:
        with slot.view() as leaves:
            task = asyncio.create_task(leaves.next())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert slot.viewers == 1
        slot.publish(1, b"a", SIZE)
        assert (await stays.next()).data == b"a"


@given(st.lists(st.sampled_from(["publish", "take", "look", "leave"]), max_size=60))
def test_numbers_only_grow_and_every_frame_is_taken_or_counted(steps: list[str]) -> None:
    async def run() -> None:
        slot = Slot()
        published = 0
        with slot.view() as viewer:
            taken: list[int] = []
            extra: list[object] = []
            for step in steps:
                if step == "publish":
                    slot.publish(0, b"", SIZE)
                    published += 1
                elif step == "take" and published > viewer.dropped + len(taken):
                    taken.append((await viewer.next()).number)
                elif step == "look":
                    context = slot.view()
                    context.__enter__()
                    extra.append(context)
            assert taken == sorted(set(taken))
            assert published - len(taken) - viewer.dropped in (0, 1)
            assert slot.viewers == 1 + len(extra)

    asyncio.run(run())


async def test_a_slot_lives_as_long_as_it_has_a_sender_or_viewer() -> None:
    hub = Hub()
    with hub.slot("live-demo") as camera:
        with hub.slot("live-demo") as viewer:
            assert camera is viewer is hub.find("live-demo")
        assert hub.find("live-demo") is camera
    assert hub.find("live-demo") is None


async def test_a_free_connection_gets_each_frame_at_once_and_a_busy_one_the_newest_later() -> None:
    slot, written, kept = Slot(), list[bytes](), [0]
    with slot.view() as viewer, viewer.passing(lambda: kept[0], written.append, lambda frame: frame.data):
        slot.publish(0, b"1", SIZE)
        kept[0] = 5
        slot.publish(0, b"2", SIZE)
        kept[0] = 0
        slot.publish(0, b"3", SIZE)  # 2 has not been taken, so this one is in its place and not before it
        assert written == [b"1"]
        await viewer.ready()
        assert (await viewer.next()).data == b"3"
        slot.publish(0, b"4", SIZE)
        assert written == [b"1", b"4"]
        assert (viewer.passed, viewer.dropped) == (2, 1)


async def test_what_is_no_longer_passed_on_waits_to_be_taken() -> None:
    slot, written = Slot(), list[bytes]()
    with slot.view() as viewer:
        with viewer.passing(lambda: 0, written.append, lambda frame: frame.data):
            pass
        slot.publish(0, b"1", SIZE)
        assert (await viewer.next()).data == b"1"
        assert written == []
