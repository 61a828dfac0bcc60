"""A whole JPEG passes, and nothing that is not one; the check never raises anything else."""

from __future__ import annotations

import contextlib
import io
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from stagedoor.streams import jpeg
from stagedoor.streams.huffman import STANDARD_TABLES
from stagedoor.streams.jpeg import JpegReader, NotJpeg, Size, measure

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
    tail = data.draw(st.binary(max_size=1024))
    found, size = measure(made + tail)
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
    reader = JpegReader()
    assert reader.read(whole)[0] == whole
    for length in range(len(whole)):
        with pytest.raises(NotJpeg):
            measure(whole[:length])
        with pytest.raises(NotJpeg):
            reader.read(whole[:length])
        reader.read(whole)


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
    """Ten times a second, half a megabyte of it would keep the event loop from all other connections."""
    assert measure(PLAIN[:2] + many * 500 + PLAIN[2:])[1].width == 48
    long = PLAIN[:2] + many * (500_000 // len(many)) + PLAIN[2:]
    with pytest.raises(NotJpeg, match="more than 1000 segments"):  # each step of the walk counts as one
        measure(long)


SCAN = PLAIN.index(b"\xff\xda")
OTHER = picture(48, 32, quality=80)
RANDOM = np.random.default_rng(5).bytes(513).replace(b"\xff", b"\xfe")


@pytest.mark.parametrize(
    "tail",
    [
        b"\x3c", b"\xff", b"\r\n", b"\n", b"\x00\x3c", bytes(1025), bytes(16_384), b"\xff" * 16, b"\xff" * 4096,
        RANDOM[:96], RANDOM[:144], RANDOM[:160], RANDOM, RANDOM + b"\xff\xd9" + RANDOM, RANDOM + b"\xff\xd9",
        OTHER[-400:], OTHER, b"\xff\xd8\xff",
    ],
)  # fmt: skip
def test_what_a_driver_leaves_behind_the_picture_is_cut_off(tail: bytes) -> None:
    assert measure(PLAIN + tail)[0] == PLAIN


@pytest.mark.parametrize("width", [48, 160])
def test_so_it_is_behind_a_progressive_picture(width: int) -> None:
    whole = picture(width, 32, progressive=True)
    assert measure(whole + OTHER)[0] == whole


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"hello", "it begins with 68656c6c"),
        (b"\x00" + PLAIN, "1 byte stands before its start-of-image marker (00ffd8ff"),
        (b"\xff" + PLAIN, "1 byte stands before its start-of-image marker (ffffd8ff"),
        (bytes(3) + PLAIN, "3 bytes stand before"),
        (b"/9j/4AAQSkZJRgABAQ", "base64"),
        (b"data:image/jpeg;base64,/9j/", "data URL"),
        (b"--X\r\nContent-Disposition: form-data", "it is a form"),
        (b'{"image": "x"}', "it is JSON"),
        (b"\x89PNG\r\n", "it is a PNG"),
        (PLAIN[:-2], "it breaks off: no end-of-image marker (ffd9)"),
        (PLAIN[: SCAN + 4], "it breaks off before its picture data"),
        (PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "12 bits"),
        (PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"), "12 bits"),
        (PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc3\x00\x11\x08"), "lossless (SOF3)"),
        (PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc5\x00\x11\x08"), "hierarchical (SOF5)"),
        (PLAIN.replace(b"\x08\x00\x20\x00\x30", b"\x08\x00\x00\x00\x30"), "(DNL) is not taken"),
    ],
)
def test_a_refusal_says_what_came(data: bytes, said: str) -> None:
    with pytest.raises(NotJpeg) as refused:
        measure(data)
    assert said in str(refused.value)


@pytest.mark.parametrize("cut", [len(PLAIN) - 10, SCAN + 30])
@pytest.mark.parametrize("begin", [0, 2, 20, OTHER.index(b"\xff\xc0"), OTHER.index(b"\xff\xda")])
def test_parts_of_two_frames_are_none(cut: int, begin: int) -> None:
    """A modem that loses two kilobytes, or a request that begins inside of the last one's body."""
    for between in (b"", b"POST /ingest/frame HTTP/1.1\r\n\r\n"):
        with pytest.raises(NotJpeg):
            measure(PLAIN[:cut] + between + OTHER[begin:])


def test_a_second_picture_that_breaks_off_as_well_is_noticed() -> None:
    with pytest.raises(NotJpeg, match="parts of two frames"):
        measure(PLAIN[: SCAN + 30] + OTHER[:20] + b"\xff\xd9")


def without(data: bytes, marker: int) -> bytes:
    """Without the segments of this marker."""
    at = 2
    kept = data[:2]
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += b"" if data[at + 1] == marker else data[at:end]
        at = end
    return kept + data[at:]


AVI1 = b"\xff\xe0\x00\x10AVI1" + bytes(10)


@pytest.mark.parametrize("head", [b"", AVI1, b"\xff\xc4\x00\x02"])
def test_standard_tables_that_are_left_out_are_put_in(head: bytes) -> None:
    bare = without(PLAIN, 0xC4)
    found, size = measure(bare[:2] + head + bare[2:])
    assert found == bare[:2] + STANDARD_TABLES + head + bare[2:]
    assert (size.width, size.height) == (48, 32)
    assert Image.open(io.BytesIO(found)).tobytes() == Image.open(io.BytesIO(PLAIN)).tobytes()


def test_the_tables_are_those_that_encoders_write() -> None:
    written = b"".join(
        PLAIN[at + 4 : at + 2 + int.from_bytes(PLAIN[at + 2 : at + 4], "big")]
        for at in range(len(PLAIN))
        if PLAIN[at : at + 2] == b"\xff\xc4"
    )
    assert STANDARD_TABLES[4:] == written


def test_a_picture_with_tables_of_its_own_stays_as_it_is() -> None:
    for whole in (picture(48, 32, optimize=True), picture(48, 32, progressive=True), picture(9, 9, optimize=True)):
        assert measure(whole)[0] == whole


def _filled(data: bytes, count: int) -> bytes:
    """With fill bytes before each marker, also before RSTn and EOI."""
    at, out = 2, data[:2]
    while at < len(data):
        if data[at] == 0xFF and data[at + 1] not in (0x00, 0xFF):
            out += b"\xff" * count
            length = 0 if data[at + 1] in range(0xD0, 0xDA) else int.from_bytes(data[at + 2 : at + 4], "big")
            out += data[at : at + 2 + length]
            at += 2 + length
        else:
            out += data[at : at + 1]
            at += 1
    return out


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("count", [0, 1, 3, 16])
def test_fill_bytes_and_restart_markers_pass(options: dict[str, object], count: int) -> None:
    whole = _filled(picture(64, 64, **options), count)
    found, size = measure(whole)
    assert (found, size.width) == (whole, 64)
    Image.open(io.BytesIO(found)).load()


@given(st.lists(st.sampled_from([PLAIN, OTHER, picture(33, 17, progressive=True), PLAIN + b"x"]), max_size=12))
def test_one_reader_reads_as_many_do(frames: list[bytes]) -> None:
    reader = JpegReader()
    for frame in frames:
        assert reader.read(frame) == measure(frame)


def _result(reader: JpegReader, data: bytes) -> tuple[bytes, Size] | str:
    try:
        return reader.read(data)
    except NotJpeg as error:
        return str(error)


def _segment(marker: int, said: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (len(said) + 2).to_bytes(2, "big") + said


SEGMENT = st.builds(
    _segment, st.sampled_from([0xFE, 0xE0, 0xE1, 0xEF, 0xDB]), st.one_of(st.binary(max_size=40), st.just(PLAIN))
)
BROKEN_SEGMENT = st.sampled_from(
    [b"\xff", b"\xff\xfe", b"\xff\xfe\x00", b"\xff\xfe\x00\x01", b"\xff\xfe\xff\xff", b"x"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([PLAIN, OTHER]),
            st.lists(st.one_of(SEGMENT, BROKEN_SEGMENT), max_size=25),
            st.integers(0, 4),
        ),
        max_size=6,
    ),
    st.data(),
)
def test_one_reader_reads_headers_that_differ_by_a_time_or_are_broken_as_many_do(
    frames: list[tuple[bytes, list[bytes], int]], data: st.DataObject
) -> None:
    reader = JpegReader()
    for whole, segments, cut in frames:
        frame = whole[:2] + b"".join(segments) + whole[2:]
        if not cut:
            frame = frame[: data.draw(st.integers(0, len(frame)))]
        assert _result(reader, frame) == _result(JpegReader(), frame)


NOISE = picture(64, 64, quality=95)


@given(
    st.integers(NOISE.index(b"\xff\xda") + 14, len(NOISE)),
    st.lists(
        st.sampled_from(
            [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xda\x00", b"\xff\xd9", b"\xff\xd3", b"\xff", b"\xff\xc4", b"x"]
        ),
        max_size=3,
    ),
)
@example(NOISE.index(b"\xff\xda") + 14, [b"\xff\xd9"])
def test_a_picture_ends_at_its_first_end_unless_another_begins_before(at: int, inserted: list[bytes]) -> None:
    """And unless the end comes before any data of the picture."""
    data = NOISE[:at] + b"".join(inserted) + NOISE[at:]
    begin = NOISE.index(b"\xff\xda") + 14
    end = data.find(b"\xff\xd9", begin)  # none when the insertion splits it
    whole = end > begin and b"\xff\xd8\xff" not in data[begin:end] and b"\xff\xda\x00" not in data[begin:end]
    result = _result(JpegReader(), data)
    assert (result == (data[: end + 2], Size(64, 64))) is whole


def _scans(count: int, width: int, height: int) -> bytes:
    """A progressive picture of one component with so many scans of a few bytes."""
    sof = b"\xff\xc2\x00\x0b\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    first = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + b"\x12\x34"
    refining = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x10" + b"\x56\x78"
    return b"\xff\xd8" + without(PLAIN, 0xC0)[2 : SCAN - 19] + sof + first + refining * (count - 1) + b"\xff\xd9"


def test_more_scans_than_encoders_make_are_refused_before_they_are_decoded() -> None:
    """113 KB with 882 scans of 7680 by 4320 pixels took a decoder 17 s."""
    assert measure(_scans(32, 7_680, 4_320))[1].width == 7_680
    assert measure(_scans(100, 640, 480))[1].width == 640
    for bomb in (_scans(33, 7_680, 4_320), _scans(882, 7_680, 4_320), _scans(101, 16, 16)):
        with pytest.raises(NotJpeg, match="more scans"):
            measure(bomb)


class Counted:
    """A pattern that counts its searches and the bytes 0xFF that they pass."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.searches = self.passed = 0

    def search(self, data: bytes, at: int) -> re.Match[bytes] | None:
        found = self._pattern.search(data, at)
        self.searches += 1
        self.passed += data.count(b"\xff", at, len(data) if found is None else found.start())
        return found


@pytest.mark.parametrize("progressive", [False, True])
def test_picture_data_of_markers_is_walked_once_at_most(progressive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(jpeg._IN_SCAN)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(jpeg, "_IN_SCAN", counted)
    whole = picture(48, 32, progressive=progressive)
    dense = whole[:-2] + b"\xff\x00" * 250_000 + b"\xff\xd9"
    if progressive:
        with pytest.raises(NotJpeg, match="more markers than are walked over"):
            measure(dense)
        assert counted.searches == 0
    else:
        assert measure(dense)[0] == dense
        assert counted.searches == 1
        assert counted.passed <= 250_000 + len(whole)
