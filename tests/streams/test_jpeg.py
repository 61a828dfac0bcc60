"""A whole JPEG passes, and nothing that is not one; the check never raises anything else."""

from __future__ import annotations

import contextlib
import io
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from stagedoor.streams.jpeg import NotJpeg, measure

ImageFile.MAXBLOCK = 1 << 20  # Pillow guesses the size of its buffer, and too small for tiny progressive pictures


def picture(width: int, height: int, **options: object) -> bytes:
    pixels = np.random.default_rng(width * height).integers(0, 255, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **options)
    return out.getvalue()


PLAIN = picture(48, 32, quality=50)


@given(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from([10, 75, 95]), st.booleans(), st.integers(0, 2), st.data()
)
def test_what_an_encoder_makes_is_measured(
    width: int, height: int, quality: int, progressive: bool, subsampling: int, data: st.DataObject
) -> None:
    made = picture(width, height, quality=quality, progressive=progressive, subsampling=subsampling)
    padding = data.draw(st.integers(0, 1024))
    found, size = measure(made + bytes(padding))
    assert (found, size.width, size.height) == (made, width, height)


@given(st.integers(0, len(PLAIN) - 1))
def test_what_is_cut_off_is_not_whole(length: int) -> None:
    with pytest.raises(NotJpeg):
        measure(PLAIN[:length])


@given(st.binary(max_size=200), st.booleans())
def test_anything_else_is_refused_and_nothing_else_is_raised(data: bytes, dressed: bool) -> None:
    with contextlib.suppress(NotJpeg):
        measure(b"\xff\xd8\xff" + data + b"\xff\xd9" if dressed else data)


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_broken_byte_raises_nothing_else(at: int, value: int) -> None:
    with contextlib.suppress(NotJpeg):
        measure(PLAIN[:at] + bytes([value]) + PLAIN[at + 1 :])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xd8\xff\xd9",
        PLAIN + b"\x01",
        PLAIN + bytes(1025),
        PLAIN.replace(b"\xff\xc0\x00\x11\x08\x00\x20", b"\xff\xc0\x00\x11\x08\x00\x00"),
        b"\x89PNG\r\n\x1a\n" + bytes(50),
    ],
)
def test_these_are_not_pictures(data: bytes) -> None:
    with pytest.raises(NotJpeg):
        measure(data)


COMMENTED = PLAIN[:2] + b"\xff\xfe\x00\x04hi" + b"\xff\xe1\x00\x08" + b"\xff\xd8\xff\xd9\xff\xc0" + PLAIN[2:]
"""With a thumbnail's markers inside of a segment, as EXIF has them."""


@pytest.mark.parametrize("whole", [PLAIN, COMMENTED, picture(33, 17, progressive=True, quality=90)])
def test_cut_off_at_any_byte_it_is_not_whole(whole: bytes) -> None:
    assert measure(whole)[0] == whole
    for length in range(len(whole)):
        with pytest.raises(NotJpeg):
            measure(whole[:length])


def test_markers_inside_of_a_segment_are_not_the_pictures() -> None:
    _, size = measure(COMMENTED)
    assert (size.width, size.height) == (48, 32)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_only_sane_sizes_pass(width: int, height: int) -> None:
    at = PLAIN.index(b"\xff\xc0") + 5
    made = PLAIN[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + PLAIN[at + 4 :]
    sane = 0 < width <= 16_384 and 0 < height <= 16_384 and width * height <= 7_680 * 4_320
    try:
        _, size = measure(made)
    except NotJpeg:
        assert not sane
    else:
        assert sane
        assert (size.width, size.height) == (width, height)


@pytest.mark.parametrize("many", [b"\xff", b"\xff\xfe\x00\x02"])
def test_what_is_long_to_walk_over_is_no_picture(many: bytes) -> None:
    """Ten times a second, half a megabyte of it would keep the event loop from everybody else."""
    assert measure(PLAIN[:2] + many * 500 + PLAIN[2:])[1].width == 48
    long = PLAIN[:2] + many * (500_000 // len(many)) + PLAIN[2:]
    began = time.thread_time()  # what else the machine does is not counted
    with pytest.raises(NotJpeg):
        measure(long)
    assert time.thread_time() - began < 0.01
