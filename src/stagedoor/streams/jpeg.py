"""Is this a whole JPEG? Decided by its markers, without decoding (ITU-T T.81, annex B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import StagedoorError

_SOI: Final = b"\xff\xd8\xff"
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; the three that are left out are DHT, JPG and DAC."""

_ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a length (TEM, RSTn, SOI, EOI) and a stuffed byte; none belongs between SOI and SOS."""

_LONGEST_PADDING: Final = 1024
"""Drivers of small cameras hand over whole buffers, with zeros after the end of the picture."""

_MOST_MARKERS: Final = 1_000
"""Before the first scan, fill bytes included; half a megabyte of empty segments took 45 ms to walk over."""

LARGEST_SIDE: Final = 16_384
_MOST_PIXELS: Final = 7_680 * 4_320
"""A header of a few bytes may promise a picture that takes gigabytes to decode."""


class NotJpeg(StagedoorError):
    """It is not one whole JPEG; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


def measure(data: bytes) -> tuple[bytes, Size]:
    """The picture without padding, and its size.

    Raises:
        NotJpeg: It does not begin with SOI, has no sane frame header before its first scan, or does not end with EOI.
    """
    if not data.startswith(_SOI):
        raise NotJpeg("it does not begin with a start-of-image marker")
    if not data.endswith(_EOI):
        data = _unpadded(data)
    try:
        size, scan = _to_scan(data)
    except IndexError:
        raise NotJpeg("it ends before its first scan") from None
    if size is None or not _sane(size):
        raise NotJpeg("its frame header gives no sane size")
    if scan >= len(data) - 2:
        raise NotJpeg("it has no picture data")
    # In picture data 0xFF is followed by a zero or a restart marker, so the first end is the end.
    if data.find(_EOI, scan) != len(data) - 2:
        raise NotJpeg("something follows its end-of-image marker")
    return data, size


def _sane(size: Size) -> bool:
    inside = 0 < size.width <= LARGEST_SIDE and 0 < size.height <= LARGEST_SIDE
    return inside and size.width * size.height <= _MOST_PIXELS


def _to_scan(data: bytes) -> tuple[Size | None, int]:
    """The size from the frame header, and where the first scan's data begins."""
    size: Size | None = None
    at = 2
    for _ in range(_MOST_MARKERS):
        if data[at] != 0xFF:
            raise NotJpeg("a marker was expected and there is none")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if marker in _ALONE or length < 2:
            raise NotJpeg("a marker stands where it can't, or its segment is cut off")
        if marker in _FRAME_HEADERS:
            if size is not None or length < 11:
                raise NotJpeg("its frame header is wrong")
            size = Size(data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6])
        at += 2 + length
        if marker == _SOS:
            return size, at
    raise NotJpeg("it has too many segments")


def _unpadded(data: bytes) -> bytes:
    end = data.rfind(_EOI) + 2
    if end < 4 or len(data) - end > _LONGEST_PADDING or data.count(0, end) != len(data) - end:
        raise NotJpeg("it does not end with an end-of-image marker")
    return data[:end]
