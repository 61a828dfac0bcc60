"""The part of AMF3 that occurs in RTMP: values in commands of clients that asked for object encoding 3."""

from __future__ import annotations

import struct
from typing import Final, TypeVar

from stagedoor.sources.rtmp.amf_values import DEEPEST, MOST_VALUES, AmfValue
from stagedoor.sources.rtmp.errors import ProtocolError

_NUMBER: Final = struct.Struct(">d")
_CONSTANTS: Final[dict[int, AmfValue]] = {0x00: None, 0x01: None, 0x02: False, 0x03: True}
_T = TypeVar("_T")


class Amf3Reader:
    """Reads values; externalizable objects, vectors and dictionaries, which no encoder sends, are refused.

    Args:
        data: The message.
        at: Where the value begins.
        left: Values that it may have.
    """

    def __init__(self, data: bytes, at: int = 0, left: int = MOST_VALUES) -> None:
        self._data = data
        self.at = at
        self._left = left
        self._strings: list[str] = []
        self._objects: list[AmfValue] = []
        self._traits: list[tuple[bool, list[str]]] = []

    def value(self, depth: int = 0) -> AmfValue:
        """The next value.

        Raises:
            ProtocolError: It is not AMF3, is cut off, or exceeds a bound.
        """
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise ProtocolError("bad_amf", "An AMF3 value is nested too deeply or has too many parts.")
        marker = self._take(1)[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == 0x04:
            number = self._number()
            return float(number - (1 << 29) if number & 1 << 28 else number)
        if marker == 0x05:
            return _NUMBER.unpack(self._take(8))[0]
        if marker == 0x06:
            return self._string()
        return self._composed(marker, depth)

    def _composed(self, marker: int, depth: int) -> AmfValue:
        if marker not in (0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C):
            raise ProtocolError("bad_amf", f"The AMF3 type {marker} is not taken.")
        head = self._number()
        if not head & 1:
            return self._known(self._objects, head >> 1)
        head >>= 1
        if marker == 0x09:
            return self._array(head, depth)
        if marker == 0x0A:
            return self._object(head, depth)
        found: AmfValue
        if marker == 0x08:
            found = _NUMBER.unpack(self._take(8))[0]
        else:
            raw = self._take(head)
            found = raw if marker == 0x0C else raw.decode("utf-8", "replace")
        self._objects.append(found)
        return found

    def _array(self, count: int, depth: int) -> AmfValue:
        named: dict[str, AmfValue] = {}
        items: list[AmfValue] = []
        place = len(self._objects)
        self._objects.append(items)
        while name := self._string():
            named[name] = self.value(depth + 1)
        items.extend(self.value(depth + 1) for _ in range(count))
        if not named:
            return items
        named.update((str(index), item) for index, item in enumerate(items))
        self._objects[place] = named
        return named

    def _object(self, head: int, depth: int) -> AmfValue:
        found: dict[str, AmfValue] = {}
        self._objects.append(found)
        if not head & 1:
            dynamic, names = self._known(self._traits, head >> 1)
        elif head & 2:
            raise ProtocolError("bad_amf", "Externalizable AMF3 objects are not taken.")
        else:
            dynamic = bool(head & 4)
            self._string()  # the name of its class
            names: list[str] = []
            for _ in range(head >> 3):
                names.append(self._string())
            self._traits.append((dynamic, names))
        for name in names:
            found[name] = self.value(depth + 1)
        if dynamic:
            while name := self._string():
                found[name] = self.value(depth + 1)
        return found

    def _string(self) -> str:
        head = self._number()
        if not head & 1:
            return self._known(self._strings, head >> 1)
        text = self._take(head >> 1).decode("utf-8", "replace")
        if text:
            self._strings.append(text)
        return text

    def _known(self, table: list[_T], index: int) -> _T:
        if index >= len(table):
            raise ProtocolError("bad_amf", "An AMF3 reference leads nowhere.")
        return table[index]

    def _number(self) -> int:
        """A number of up to 29 bits in one to four bytes."""
        number = 0
        for _ in range(3):
            byte = self._take(1)[0]
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self._take(1)[0]

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._data):
            raise ProtocolError("bad_amf", "An AMF3 value is cut off.")
        taken = self._data[self.at : end]
        self.at = end
        return taken
