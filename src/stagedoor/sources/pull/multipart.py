"""Takes the pictures out of `multipart/x-mixed-replace`, as cameras write it and not as RFC 2046 has it: sans-io.

Cameras leave the length out or give a wrong one, declare a boundary with the dashes or another than they send, and end
lines as they like. So a picture ends where its JPEG ends (ITU-T T.81, annex B); a length is believed when the picture
ends there; and the boundary counts only where neither says anything. Then no picture waits for the next one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_MARKER: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xef\xfe]")
"""What ends picture data, where 0xFF is followed by zero (stuffed), RSTn or 0xFF (fill)."""

_FILL: Final = 0xFF
_BEGIN, _END, _SCAN, _RESTART = 0xD8, 0xD9, 0xDA, range(0xD0, 0xD8)
_TEM: Final = 0x01

_LONGEST_LINE: Final = 1_024
"""Of a header or a boundary; a longer one is junk."""
_MOST_HEADERS: Final = 64
_MOST_DIGITS: Final = 12
_OF_PARTS: Final = frozenset({b"content-type", b"content-length"})
_TEXTS: Final = (b"text/", b"application/xml", b"application/json")
_NO_BOUNDARY: Final = b"\nContent-"
"""What begins a part where there are no boundaries."""

_PADDING: Final = b"\0\r\n "
_MOST_PADDING: Final = 64
_HEADER: Final = re.compile(rb"([!#-'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:(.*)", re.DOTALL)
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*(?:"([^"]*)"|'([^']*)'|([^;]*))""", re.IGNORECASE)


def boundary_of(content_type: str) -> str:
    """The boundary that a `Content-Type` declares, without quotes; empty without one."""
    found = _BOUNDARY.search(content_type)
    return "" if found is None else (found[1] or found[2] or found[3] or "").strip()


@dataclass(slots=True)
class _Part:
    """The part that is read now.

    Attributes:
        length: Its bytes, if it says so and is believed.
        image: Whether it says that it is a picture, or says nothing.
        at: How far its JPEG was walked.
        in_data: Whether the walk is in picture data, and not in a header.
        plain: Whether it is no JPEG that can be walked, so that the boundary ends it.
        begun: Whether its first byte has come.
        delimiter: The line before it, with the newline before that.
    """

    length: int | None = None
    image: bool = True
    at: int = 0
    in_data: bool = False
    plain: bool = False
    begun: bool = False
    delimiter: bytes = b""


class MultipartReader:
    """Reads one answer. Its results do not depend on how the bytes are cut.

    Args:
        boundary: As `Content-Type` declares it; what the stream has counts.
        most: The bytes of the largest picture. A larger one is dropped, and no more than this is kept of it.

    Attributes:
        too_big: Pictures that were dropped for their size.
        others: Parts that are no pictures.
    """

    def __init__(self, boundary: str, most: int) -> None:
        self._token = boundary.encode("latin-1", "replace").strip(b"- ")
        self._most = most
        self._buffer = bytearray()
        self._delimiter = b""
        self._part: _Part | None = None
        self._pending = _Part()
        self._headers = -1
        self._sure = False
        self._dropping = False
        self._in_long_line = False
        self._trusts_lengths = True
        self.too_big = 0
        self.others = 0

    @property
    def _overlap(self) -> int:
        """Bytes at the end that are looked at again with what follows: a boundary or a marker may begin in them."""
        return len(self._delimiter or _NO_BOUNDARY) + 1

    @property
    def kept(self) -> int:
        """Bytes that are kept, because what they belong to is not whole."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that are whole now."""
        self._buffer += data
        pictures: list[bytes] = []
        while self._step(pictures):
            pass
        return pictures

    def _step(self, pictures: list[bytes]) -> bool:
        """Do the next thing, if enough bytes are there for it."""
        if self._dropping:
            return self._drop()
        return self._read_line() if self._part is None else self._read_body(self._part, pictures)

    # Between parts, and their headers.

    def _read_line(self) -> bool:
        if self._headers >= 0 and not self._in_long_line:
            if len(self._buffer) < len(_SOI):
                return False
            if self._buffer.startswith(_SOI):  # without the empty line that ends the headers
                self._begin_body()
                return True
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                self._in_long_line = True
                self._buffer.clear()
            return False
        line = bytes(self._buffer[:end]) if end <= _LONGEST_LINE else b"\xff"
        del self._buffer[: end + 1]
        if self._in_long_line:
            self._in_long_line = False
            line = b"\xff"
        self._take_line(line.strip(b"\r \t"))
        return True

    def _take_line(self, line: bytes) -> None:
        if self._opens_part(line):
            return
        header = _HEADER.fullmatch(line)
        if self._headers < 0 and header is not None and header[1].lower() in _OF_PARTS:
            self._open_part(_Part(), sure=True)  # without a boundary
        if self._headers < 0:
            return
        self._headers += 1
        if self._headers > _MOST_HEADERS or not (header or self._sure) or not line.isascii():
            self._headers = -1  # that was no part
        elif header is not None:
            self._sure = True
            self._take_header(header[1].lower(), header[2].strip())
        elif not line:
            self._begin_body()

    def _opens_part(self, line: bytes) -> bool:
        """Whether the line is a boundary: the declared one with any dashes, or one that may be another."""
        bare = line.strip(b"- ")
        declared = bool(bare) and bare == self._token
        if not declared and not (line.startswith(b"--") and bare):
            return False
        delimiter = b"\n" + line.rstrip(b"- ")
        self._open_part(_Part(delimiter=delimiter), sure=declared or delimiter == self._delimiter)
        return True

    def _open_part(self, part: _Part, *, sure: bool) -> None:
        self._pending, self._headers, self._sure = part, 0, sure

    def _take_header(self, name: bytes, value: bytes) -> None:
        if name == b"content-type":
            self._pending.image = not value.lower().startswith(_TEXTS)
        elif name == b"content-length" and self._trusts_lengths and value.isdigit() and len(value) <= _MOST_DIGITS:
            length = int(value)
            self._pending.length = length if 0 < length <= self._most else None

    def _begin_body(self) -> None:
        self._part, self._headers = self._pending, -1
        self._delimiter = self._pending.delimiter or self._delimiter

    # The body of a part.

    def _read_body(self, part: _Part, pictures: list[bytes]) -> bool:
        if not part.begun and not self._begin(part):
            return self._part is None
        if part.length is not None:
            if len(self._buffer) < part.length:
                return False
            if not part.plain and not self._ends_at(part.length):
                self._trusts_lengths, part.length = False, None
                return True
            self._end_part(part.length, part.length, pictures)
            return True
        end = self._find_end(part)
        if end is not None and end[0] <= self._most:
            self._end_part(*end, pictures)
            return True
        if end is None and len(self._buffer) <= self._most + len(self._delimiter) + len(_NO_BOUNDARY):
            return False
        self.too_big += 1
        self._dropping, self._part = True, None
        del self._buffer[: self._most]
        return True

    def _begin(self, part: _Part) -> bool:
        """Look at the first bytes, behind empty lines that some cameras add."""
        if part.image and self._buffer.startswith((b"\r", b"\n")):
            empty = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
            del self._buffer[:empty]
        boundary = (self._delimiter or _NO_BOUNDARY)[1:]
        if len(self._buffer) < len(_SOI) or (len(self._buffer) < len(boundary) and boundary.startswith(self._buffer)):
            return False
        if self._buffer.startswith(boundary):
            self._part = None  # it is empty
            self.others += 1
            return False
        part.begun = True
        part.plain = not self._buffer.startswith(_SOI)
        part.at = 0 if part.plain else len(_SOI)
        return True

    def _ends_at(self, length: int) -> bool:
        tail = bytes(self._buffer[max(0, length - _MOST_PADDING) : length])
        return tail.rstrip(_PADDING).endswith(_EOI)

    def _end_part(self, end: int, following: int, pictures: list[bytes]) -> None:
        part, self._part = self._part, None
        with memoryview(self._buffer) as view:
            body = bytes(view[:end])
        del self._buffer[:following]
        if part is not None and (not part.plain or part.image):
            pictures.append(body)
        else:
            self.others += 1

    def _find_end(self, part: _Part) -> tuple[int, int] | None:
        """Where the picture ends, and where reading goes on; `None` when more bytes are needed."""
        while not part.plain:
            if part.in_data:
                if not self._walk_data(part):
                    break
            elif (ended := self._walk_header(part)) is None:
                return None
            elif ended:
                return part.at, part.at
        return self._find_boundary(part)

    def _walk_header(self, part: _Part) -> bool | None:
        """Walk one segment; whether the picture ends there, and `None` when more bytes are needed."""
        buffer, at = self._buffer, part.at
        if len(buffer) < at + 2:
            return None
        marker = buffer[at + 1]
        if buffer[at] != _FILL or marker in {0, _BEGIN}:
            self._give_up_walk(part)
        elif marker == _FILL:
            part.at += 1
        elif marker == _END:
            part.at += 2
            return True
        elif marker == _TEM or marker in _RESTART:
            part.at += 2
        elif len(buffer) < at + 4:
            return None
        else:
            part.at += 2 + max(2, int.from_bytes(buffer[at + 2 : at + 4]))
            part.in_data = marker == _SCAN
        return False

    def _walk_data(self, part: _Part) -> bool:
        """Go to the marker that ends the picture data; whether it is there, before any boundary."""
        found = _MARKER.search(self._buffer, part.at)
        boundary = self._boundary(part.at, len(self._buffer) if found is None else found.start())
        if boundary is not None:
            self._give_up_walk(part)
        elif found is not None:
            part.at, part.in_data = found.start(), False
            return True
        else:
            part.at = max(part.at, len(self._buffer) - self._overlap)
        return False

    @staticmethod
    def _give_up_walk(part: _Part) -> None:
        part.plain, part.at = True, 0

    def _find_boundary(self, part: _Part) -> tuple[int, int] | None:
        if not part.plain:
            return None
        at = self._boundary(part.at, len(self._buffer))
        if at is None:
            part.at = max(part.at, len(self._buffer) - self._overlap)
            return None
        end = at - 1 if at and self._buffer[at - 1] == ord("\r") else at
        return end, at + 1

    def _boundary(self, start: int, end: int) -> int | None:
        """Where the newline before the next boundary is."""
        at = self._buffer.find(self._delimiter or _NO_BOUNDARY, start, end)
        return None if at < 0 else at

    def _drop(self) -> bool:
        """Go on behind what is dropped, at the next boundary."""
        at = self._boundary(0, len(self._buffer))
        if at is None:
            del self._buffer[: max(0, len(self._buffer) - self._overlap)]
            return False
        del self._buffer[: at + 1]
        self._dropping = False
        return True
