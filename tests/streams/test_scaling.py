"""Sizes are made from what a camera really sends: any shape, any kind of JPEG, or one that cannot be decoded."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps, ImageStat

from stagedoor.kernel.exif import orientation_of
from stagedoor.streams import scaling
from stagedoor.streams.hub import EndOfStream, Frame, Slot
from stagedoor.streams.jpeg import NotJpeg, Size, measure
from stagedoor.streams.scaling import Scaler, shrink
from tests.support.cameras import frame, size_of


@settings(deadline=None)
@given(st.integers(1, 700), st.integers(1, 500), st.integers(16, 400), st.sampled_from(["RGB", "L", "CMYK"]))
def test_any_picture_is_as_wide_as_was_asked_for(width: int, height: int, wanted: int, mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "JPEG", progressive=width % 2 == 0)
    data, size = measure(out.getvalue())
    made, made_size = shrink(data, size, wanted)
    assert size_of(made) == (made_size.width, made_size.height)
    assert made_size.width == min(width, wanted)
    assert abs(made_size.height - height * made_size.width / width) < 1
    assert measure(made)[1] == made_size


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_broken_picture_raises_value_error_and_nothing_else(data: st.DataObject) -> None:
    good = frame("x", width=80, height=60)
    broken = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture, size = measure(bytes(broken))
        if size.width * size.height < 1_000_000:
            shrink(picture, size, 40)
    except (NotJpeg, ValueError):
        pass


async def test_a_size_goes_on_after_a_camera_stayed_away() -> None:
    """A viewer whose last frame is still being sent keeps the size; one that comes now must see the next camera."""
    source, scaler = Slot(), Scaler()
    size = Size(64, 48)
    async with scaler.scaled(source, 32, "app_1") as kept:
        with kept.view() as old:
            source.publish(1, frame("0"), size)
            await asyncio.wait_for(old.next(), 5)
            source.clear(None, 0.0)
            with pytest.raises(EndOfStream):
                await asyncio.wait_for(old.next(), 5)
            assert kept.newest is None
            async with scaler.scaled(source, 32, "app_1") as slot:
                with slot.view() as fresh:
                    source.begin()
                    source.publish(2, frame("1"), size)
                    assert (await asyncio.wait_for(fresh.next(), 5)).size.width == 32
    assert not source.copies
    scaler.close()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_is_made_smaller_is_turned_as_its_tag_says(orientation: int) -> None:
    """As Pillow turns it: green above, blue on the left."""
    stored = Image.new("RGB", (320, 240), (200, 30, 30))
    stored.paste((30, 180, 30), (0, 0, 320, 80))
    stored.paste((30, 30, 200), (0, 80, 80, 240))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "JPEG", exif=exif.tobytes())
    data, size = measure(out.getvalue())
    made, made_size = shrink(data, size, 160)
    assert size_of(made) == (made_size.width, made_size.height) == ((160, 120) if orientation < 5 else (120, 160))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).resize(size_of(made))
    difference = ImageStat.Stat(ImageChops.difference(expected, Image.open(io.BytesIO(made)).convert("RGB")))
    assert max(difference.mean) < 6
    kept, _ = shrink(data, size, 320)
    assert kept == data  # with its tag


@given(st.binary(max_size=200))
def test_a_broken_tag_turns_nothing_and_raises_nothing(data: bytes) -> None:
    length = (len(data) + 8).to_bytes(2, "big")
    assert 1 <= orientation_of(b"\xff\xd8\xff\xe1" + length + b"Exif\x00\x00" + data) <= 8
    assert orientation_of(data) == 1 or data.startswith(b"\xff")


async def test_one_apps_slow_frames_leave_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of them wait, and though their viewers have left."""
    slow, go_on = frame("slow"), threading.Event()

    def decode(data: bytes, size: Size, width: int) -> tuple[bytes, Size]:
        if data == slow:
            go_on.wait(60)
        return data, Size(width, size.height)

    monkeypatch.setattr(scaling, "shrink", decode)
    scaler = Scaler()
    size = Size(64, 48)
    heavy = [asyncio.create_task(scaler.shrink(Frame(n, n, slow, size), 32, "app_slow")) for n in range(8)]
    await asyncio.sleep(0)
    heavy[0].cancel()
    try:
        for number in range(3):
            quick = await asyncio.wait_for(scaler.shrink(Frame(number, 0, frame("quick"), size), 32, "app_quick"), 30)
            assert quick.size.width == 32
        assert not any(task.done() for task in heavy[1:])
    finally:
        go_on.set()
    assert {made.size.width for made in await asyncio.gather(*heavy[1:])} == {32}
    scaler.close()
