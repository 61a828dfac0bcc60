"""RTSP's bytes, cut into messages and interleaved media. Knows no socket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MOST_HEAD_BYTES: Final = 32_768
MOST_BODY_BYTES: Final = 262_144
"""Of a camera's description."""
MOST_GARBAGE_BYTES: Final = 65_536
"""So much between two messages is skipped."""

_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_INTERLEAVED_HEAD: Final = 4
_NOTHING: Final = b"\r\n\0"
_START: Final = re.compile(rb"[A-Z_]{1,20}(?:[ /]|\Z)")
_RESUMES: Final = re.compile(rb"RTSP/1\.|\$[\x00-\x1f].{2}[\x80-\xbf]", re.DOTALL)
"""An answer, or interleaved RTP of one of the first channels."""
_RESUMES_BYTES: Final = 7


class NotRtsp(ValueError):
    """The bytes are no RTSP, or more than a message may have."""


@dataclass(slots=True)
class Message:
    """A request or an answer.

    Attributes:
        first: Its first line.
        headers: Names as they came, and values.
    """

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes = b""

    @property
    def status(self) -> int:
        """Of an answer; 0 of a request."""
        parts = self.first.split(" ", 2)
        return int(parts[1]) if len(parts) > 1 and parts[0].startswith("RTSP/") and parts[1].isdecimal() else 0

    @property
    def method(self) -> str:
        """Of a request."""
        return self.first.partition(" ")[0]

    def set_method(self, method: str) -> None:
        """Make a request one of another method."""
        self.first = f"{method} {self.first.partition(' ')[2]}"

    def all(self, name: str) -> list[str]:
        """The values of all headers of this name."""
        return [value for one, value in self.headers if one.lower() == name.lower()]

    def get(self, name: str) -> str:
        """The value of the first header of this name; empty when there is none."""
        return next(iter(self.all(name)), "")

    def set(self, name: str, value: str | None) -> None:
        """Replace the headers of this name by one, or by none."""
        self.headers = [(one, old) for one, old in self.headers if one.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def encode(self) -> bytes:
        """The bytes that are sent."""
        self.set("Content-Length", str(len(self.body)) if self.body else None)
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class Splitter:
    """Cuts the bytes of one direction, however they come.

    Some cameras send bytes that are of no message, once media flows: they are skipped.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = self._lost = False
        self._skipped = 0

    def feed(self, data: bytes) -> list[Message | bytes]:
        """What is complete now: messages, and interleaved media in between as it is.

        Raises:
            NotRtsp: It is no RTSP.
        """
        self._rest += data
        found: list[Message | bytes] = []
        while (one := self._next()) is not None:
            self._begun, self._skipped = True, 0
            found.append(one)
        return found

    def _skip(self) -> bool:
        """Go on to where something begins; false when there is nothing such yet."""
        if not self._begun or self._skipped + len(self._rest) > MOST_GARBAGE_BYTES:
            raise NotRtsp("bytes that are of no message")
        found = _RESUMES.search(self._rest)
        end = max(0, len(self._rest) - _RESUMES_BYTES + 1) if found is None else found.start()
        self._skipped += end
        self._lost = found is None
        del self._rest[:end]
        return found is not None

    def _next(self) -> Message | bytes | None:
        rest = self._rest
        if self._lost and not self._skip():
            return None
        while rest and rest[0] in _NOTHING:  # what some cameras send after a message
            del rest[:1]
        if rest.startswith(b"$"):
            size = _INTERLEAVED_HEAD + int.from_bytes(rest[2:4])
            if len(rest) < _INTERLEAVED_HEAD or len(rest) < size:
                return None
            media = bytes(rest[:size])
            del rest[:size]
            return media
        if rest and not _START.match(rest):
            return self._next() if self._skip() else None
        end = _END_OF_HEAD.search(rest)
        if end is None:
            if len(rest) > MOST_HEAD_BYTES:
                raise NotRtsp("a head is too long")
            return None
        message = _head(bytes(rest[: end.start()]))
        length = message.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
            raise NotRtsp(f"a body of {length[:20]} bytes")
        size = end.end() + int(length)
        if len(rest) < size:
            return None
        message.body = bytes(rest[end.end() : size])
        del rest[:size]
        return message


def _head(data: bytes) -> Message:
    first, *lines = data.decode("utf-8", "surrogateescape").splitlines()
    if "RTSP/" not in first:
        raise NotRtsp("an answer that is not RTSP's")
    pairs = [line.partition(":") for line in lines if ":" in line]
    return Message(first, [(name.strip(), value.strip()) for name, _, value in pairs])
