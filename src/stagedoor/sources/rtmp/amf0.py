"""AMF0, in which commands and metadata are written."""

from __future__ import annotations

import struct
from typing import Final

from stagedoor.sources.rtmp.amf3 import Amf3Reader
from stagedoor.sources.rtmp.amf_values import DEEPEST, MOST_VALUES, AmfValue
from stagedoor.sources.rtmp.errors import ProtocolError

_NUMBER: Final = struct.Struct(">d")
_SIZES: Final = {0x00: 8, 0x01: 1, 0x0B: 10}
_NOTHING: Final = (0x05, 0x06, 0x0D)


class Amf0Reader:
    """Reads the values of one message.

    Args:
        data: The message.
        at: Where its first value begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at
        self._left = MOST_VALUES
        self._objects: list[AmfValue] = []

    def values(self) -> list[AmfValue]:
        """All values up to the end.

        Raises:
            ProtocolError: It is not AMF0, is cut off, or exceeds a bound.
        """
        found: list[AmfValue] = []
        while self.at < len(self._data):
            found.append(self.value())
        return found

    def value(self, depth: int = 0) -> AmfValue:
        """The next value."""
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise ProtocolError("bad_amf", "An AMF0 value is nested too deeply or has too many parts.")
        marker = self._take(1)[0]
        if marker in _SIZES:
            return self._fixed(marker)
        if marker in _NOTHING:
            return None
        if marker in (0x02, 0x0C, 0x0F):
            return self._string(2 if marker == 0x02 else 4)
        return self._composed(marker, depth)

    def _fixed(self, marker: int) -> AmfValue:
        data = self._take(_SIZES[marker])
        return data[0] != 0 if marker == 0x01 else _NUMBER.unpack_from(data)[0]

    def _composed(self, marker: int, depth: int) -> AmfValue:
        if marker == 0x03:
            return self._object(depth)
        if marker == 0x07:
            index = int.from_bytes(self._take(2), "big")
            if index >= len(self._objects):
                raise ProtocolError("bad_amf", "An AMF0 reference leads nowhere.")
            return self._objects[index]
        if marker == 0x08:
            self._take(4)  # a count that is often wrong: the end marker counts
            return self._object(depth)
        if marker == 0x0A:
            return self._array(depth)
        if marker == 0x10:
            self._string(2)
            return self._object(depth)
        if marker == 0x11:
            amf3 = Amf3Reader(self._data, self.at, self._left)
            found = amf3.value(depth + 1)
            self.at = amf3.at
            return found
        raise ProtocolError("bad_amf", f"There is no AMF0 type {marker}.")

    def _object(self, depth: int) -> AmfValue:
        found: dict[str, AmfValue] = {}
        self._objects.append(found)
        while True:
            name = self._string(2)
            if not name and self.at < len(self._data) and self._data[self.at] == 0x09:
                self.at += 1
                return found
            found[name] = self.value(depth + 1)

    def _array(self, depth: int) -> AmfValue:
        found: list[AmfValue] = []
        self._objects.append(found)
        count = int.from_bytes(self._take(4), "big")
        found.extend(self.value(depth + 1) for _ in range(count))
        return found

    def _string(self, size: int) -> str:
        return self._take(int.from_bytes(self._take(size), "big")).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._data):
            raise ProtocolError("bad_amf", "An AMF0 value is cut off.")
        taken = self._data[self.at : end]
        self.at = end
        return taken


def encode(*values: AmfValue) -> bytes:
    """The values in AMF0, one after the other."""
    return b"".join(map(_encoded, values))


def _encoded(value: AmfValue) -> bytes:
    match value:
        case None:
            return b"\x05"
        case bool():
            return b"\x01\x01" if value else b"\x01\x00"
        case int() | float():
            return b"\x00" + _NUMBER.pack(value)
        case str() | bytes():
            raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
            return b"\x02" + len(raw).to_bytes(2, "big") + raw if len(raw) < 1 << 16 else _long(raw)
        case list():
            return b"\x0a" + len(value).to_bytes(4, "big") + encode(*value)
        case dict():
            return b"\x03" + b"".join(_property(name, inner) for name, inner in value.items()) + b"\0\0\x09"


def _long(raw: bytes) -> bytes:
    return b"\x0c" + len(raw).to_bytes(4, "big") + raw


def _property(name: str, value: AmfValue) -> bytes:
    raw = name.encode("utf-8")
    return len(raw).to_bytes(2, "big") + raw + _encoded(value)
