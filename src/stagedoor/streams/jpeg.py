"""Checks by its markers, without decoding, that data is one whole JPEG that browsers show (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import StagedoorError
from stagedoor.streams.huffman import STANDARD_IDS, STANDARD_TABLES

_SOI: Final = b"\xff\xd8\xff"
_EOI_BYTES: Final = b"\xff\xd9"
_SOS_BYTES: Final = b"\xff\xda\x00"
"""With the first byte of its length, which is always below 256."""

_BEGIN, _EOI, _SOS, _DHT, _DAC, _JPG = 0xD8, 0xD9, 0xDA, 0xC4, 0xCC, 0xC8
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {_DHT, _JPG, _DAC}
_HUFFMAN_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_UNSHOWN: Final = {
    **dict.fromkeys((0xC3, 0xCB), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"),
}
"""Kinds of JPEG that neither browsers nor Stagedoor's decoders support."""

_VARYING: Final = frozenset(bytes([marker]) for marker in (*range(0xE0, 0xF0), 0xFE))
"""APPn and COM, in which cameras write the time."""

_MOST_VARYING: Final = 20
"""Such segments before the tables. Where there are more the whole header is walked."""

_ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a length (TEM, RSTn, SOI, EOI) and a stuffed byte; none belongs between SOI and SOS."""

_IN_SCAN: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xef\xfe]")
"""What ends picture data, where 0xFF is followed by zero (stuffed), RSTn or 0xFF (fill). Markers that T.81 reserves
are passed over, as decoders do."""

_MOST_MARKERS: Final = 1_000
"""Of one picture, fill bytes before its first scan included; half a megabyte of empty segments took 45 ms to walk."""

_FF_BYTES_PER_FRAME: Final = 8_192
_FF_BYTES_SHARE: Final = 64
"""0xFF bytes in the picture data of several scans: 8,192, and one in 64; an encoder makes one in 256."""

_MOST_COMPONENTS: Final = 4
_MOST_SCANS: Final = 100
"""libjpeg writes 10 to 14 for a progressive picture."""

LARGEST_SIDE: Final = 16_384
_MOST_PIXELS: Final = 7_680 * 4_320
"""A header of a few bytes may promise a picture that takes gigabytes to decode."""

_MOST_SCANNED_SAMPLES: Final = 32 * _MOST_PIXELS
"""Pixels times components times scans: each scan of a few bytes has a decoder visit every block of its components, 882
of them for 17 s. The slowest picture within the bound (2,000 by 16,384, four components, not to be decoded to a smaller
size) takes 30 times as long as an ordinary one of 1,920 by 1,080: about a second, and 400 MB. 10 scans of three
components fit at the largest size, which is what libjpeg writes."""


class NotJpeg(StagedoorError):
    """The data is not one whole JPEG that can be shown; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, as they are stored (EXIF may turn the picture)."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Header:
    """What comes before the picture data.

    Attributes:
        tables: Its bytes from the first segment that is neither a comment nor application data (EXIF), up to and with
            the first SOS segment.
        begin: Where the picture data begins in the frame that was walked.
        scanned: The components of the first scan.
        components: How many there are.
        single: Whether that is all there is: the next marker ends the picture.
        incomplete: Whether the first scan refers to a standard Huffman table that is not there.
    """

    tables: bytes
    begin: int
    size: Size
    progressive: bool
    single: bool
    scanned: frozenset[int]
    components: int
    incomplete: bool


class JpegReader:
    """Reads the frames of one sender, whose headers are usually alike but for a time in them: only the first is walked.

    Attributes:
        _last: The last frame's header.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: _Header | None = None

    def read(self, data: bytes) -> tuple[bytes, Size]:
        """The picture, complete and without what a driver left behind it, and its size.

        Raises:
            NotJpeg: It does not begin with SOI, its header is not one that decoders take, or it breaks off.
        """
        header = self._last
        begin = None if header is None else _begin(data, header.tables)
        if header is None or begin is None:
            header = self._last = _header(data)
            begin = header.begin
        end = _end(data, header, begin)
        if header.incomplete:
            return data[:2] + STANDARD_TABLES + data[2:end], header.size
        return (data if end == len(data) else data[:end]), header.size


def measure(data: bytes) -> tuple[bytes, Size]:
    """As `JpegReader.read`, for a single picture."""
    return JpegReader().read(data)


def _begin(data: bytes, tables: bytes) -> int | None:
    """Where the picture data begins, when all that is before it is `tables`, comments and application data."""
    if not data.startswith(_SOI):
        return None
    at = 2
    for _ in range(_MOST_VARYING):
        if data.startswith(tables, at):
            begin = at + len(tables)
            return begin if begin < len(data) else None
        marker, length = data[at + 1 : at + 2], data[at + 2 : at + 4]
        if data[at : at + 1] != b"\xff" or marker not in _VARYING or length < b"\x00\x02":
            return None
        at += 2 + (length[0] << 8 | length[-1])
    return None


def _header(data: bytes) -> _Header:
    if not data.startswith(_SOI):
        raise NotJpeg(_not_begun(data))
    try:
        return _walk(data)
    except IndexError:
        raise NotJpeg("it breaks off before its picture data") from None


def _walk(data: bytes) -> _Header:
    """The segments from SOI to the first SOS."""
    kind: int | None = None
    size, components = Size(0, 0), 0
    tables: set[int] = set()
    at = fixed = 2
    for _ in range(_MOST_MARKERS):
        if data[at] != 0xFF:
            raise NotJpeg(f"a marker was expected at byte {at}, and there is {data[at : at + 2].hex()}")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if marker in _ALONE or length < 2:
            raise NotJpeg(f"marker ff{marker:02x} at byte {at} cannot stand before the picture data, or is cut off")
        end = at + 2 + length
        if marker in _FRAME_HEADERS:
            if kind is not None:
                raise NotJpeg("it has two frame headers: parts of two pictures")
            kind, size, components = marker, _size(data, at, marker, length), data[at + 9]
        elif marker == _DHT:
            _note_tables(data, at + 4, end, tables)
        elif marker == _SOS:
            if kind is None:
                raise NotJpeg("its picture data begins without a frame header")
            scanned, wanted = _scan(data, at, length)
            incomplete = kind in _HUFFMAN_SEQUENTIAL and bool((wanted - tables) & STANDARD_IDS)
            if end >= len(data):
                raise NotJpeg("it breaks off before its picture data")
            progressive = kind in _PROGRESSIVE
            single = not progressive and len(scanned) == components
            return _Header(data[fixed:end], end, size, progressive, single, scanned, components, incomplete)
        if fixed == at and data[at + 1 : at + 2] in _VARYING:
            fixed = end
        at = end
    raise NotJpeg(f"it has more than {_MOST_MARKERS} segments")


def _size(data: bytes, at: int, marker: int, length: int) -> Size:
    """The size in a frame header, of a kind that can be shown."""
    if marker in _UNSHOWN:
        raise NotJpeg(f"it is {_UNSHOWN[marker]} (SOF{marker - 0xC0}), which browsers cannot show")
    precision, components = data[at + 4], data[at + 9]
    if precision != 8:
        raise NotJpeg(f"its samples have {precision} bits; browsers show 8")
    if not 1 <= components <= _MOST_COMPONENTS or length != 8 + 3 * components:
        raise NotJpeg("its frame header is wrong")
    size = Size(data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6])
    if not size.height:
        raise NotJpeg("its frame header has height 0; a height that comes later (DNL) is not taken")
    if not 0 < size.width <= LARGEST_SIDE or size.height > LARGEST_SIDE or size.width * size.height > _MOST_PIXELS:
        raise NotJpeg(f"its size, {size.width} by {size.height}, is not one that is taken")
    return size


def _note_tables(data: bytes, at: int, end: int, tables: set[int]) -> None:
    while at < end:
        tables.add(data[at])
        at += 17 + sum(data[at + 1 : at + 17])


def _scan(data: bytes, at: int, length: int) -> tuple[frozenset[int], set[int]]:
    """The components of a scan, and the Huffman tables that it refers to."""
    count = data[at + 4]
    if not 1 <= count <= _MOST_COMPONENTS or length != 6 + 2 * count:
        raise NotJpeg("its scan header is wrong")
    places = range(at + 5, at + 5 + 2 * count, 2)
    tables = {data[place + 1] >> 4 for place in places} | {0x10 | data[place + 1] & 0xF for place in places}
    return frozenset(data[place] for place in places), tables


def _end(data: bytes, header: _Header, begin: int) -> int:
    """Where the picture ends: at the first EOI after picture data, which begins at `begin`. What follows is the
    driver's."""
    if header.single:
        first = _IN_SCAN.search(data, begin)
        if first is not None and first.group() == _EOI_BYTES and first.start() > begin:
            return first.end()
    end = data.find(_EOI_BYTES, begin)
    if end < 0:
        raise NotJpeg(_broken_off(data))
    if end == begin:
        raise NotJpeg("it has no picture data")
    # Three searches for bytes cost the same whatever the data is, and more than the expression where 0xFF is rare.
    if header.single and data.find(_SOI, begin, end) < 0 and data.find(_SOS_BYTES, begin, end) < 0:
        return end + 2
    last = data.rfind(_EOI_BYTES, end)
    if data.count(b"\xff", begin, last) > _FF_BYTES_PER_FRAME + len(data) // _FF_BYTES_SHARE:
        raise NotJpeg("its picture data has more markers than are walked over")
    try:
        return _end_of_scans(data, header, begin)
    except IndexError:
        raise NotJpeg(_broken_off(data)) from None


def _end_of_scans(data: bytes, header: _Header, at: int) -> int:
    """The same for a picture with markers in between, whose first scan begins at `at`."""
    scans, scanned = 1, set(header.scanned)
    samples = header.size.width * header.size.height * header.components
    at = _after_data(data, at)
    for _ in range(_MOST_MARKERS):
        if data[at] != 0xFF:
            raise NotJpeg(f"a marker was expected at byte {at}, and there is {data[at : at + 2].hex()}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            return at + 2
        if marker == _BEGIN or marker in _FRAME_HEADERS:
            raise NotJpeg(f"another picture begins at byte {at}, before this one has ended: parts of two frames")
        end = at + 2 + (data[at + 2] << 8 | data[at + 3])
        if marker != _SOS:
            at = end
            continue
        scans += 1
        components, _tables = _scan(data, at, end - at - 2)
        if scans > _MOST_SCANS or scans * samples > _MOST_SCANNED_SAMPLES:
            raise NotJpeg(f"it has more scans than are decoded ({scans} of {samples} samples)")
        if not header.progressive and components & scanned:
            raise NotJpeg("it has a component twice")
        scanned |= components
        at = _after_data(data, end)
    raise NotJpeg(f"it has more than {_MOST_MARKERS} segments")


def _after_data(data: bytes, at: int) -> int:
    """Where the marker is that ends the picture data at `at`."""
    found = _IN_SCAN.search(data, at)
    if found is None:
        raise NotJpeg(_broken_off(data))
    return found.start()


def _broken_off(data: bytes) -> str:
    return f"it breaks off: no end-of-image marker (ffd9) in {len(data)} bytes"


_OTHER_KINDS: Final = (
    (b"\x89PNG", "it is a PNG, not a JPEG"),
    (b"GIF8", "it is a GIF, not a JPEG"),
    (b"RIFF", "it is a RIFF file (WebP or AVI), not a JPEG"),
    (b"BM", "it is a bitmap, not a JPEG"),
    (b"/9j/", "it is a JPEG as base64 text; send its bytes as they are"),
    (b"data:image", "it is a data URL; send the picture's bytes as they are"),
    (b"--", "it is a form (multipart/form-data); send the JPEG alone as the body"),
    (b"{", "it is JSON; send the JPEG's bytes alone"),
)
_FURTHEST_BEGIN: Final = 64


def _not_begun(data: bytes) -> str:
    """What it is, when it does not begin as a JPEG."""
    if not data:
        return "it is empty"
    for begin, message in _OTHER_KINDS:
        if data.startswith(begin):
            return message
    ahead = data.find(_SOI, 0, _FURTHEST_BEGIN)
    if ahead > 0:
        bytes_ = "1 byte stands" if ahead == 1 else f"{ahead} bytes stand"
        return f"{bytes_} before its start-of-image marker ({data[:8].hex()}): leave out the driver's dummy bytes"
    return f"it begins with {data[:4].hex()} and not with a start-of-image marker (ffd8)"
