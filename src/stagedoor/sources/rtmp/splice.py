"""Continues one encoder's FLV with another's, so that its participant stays when the encoder came back.

The second encoder's times are moved behind the first one's. It must send what the first one sent: the same decoder
parameters, byte for byte; another codec or size is another stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from stagedoor.streams.media.flv import HEADER, TAG_HEADER_BYTES, Kind, Tag, TagSplitter, timestamp_ms

MOST_WAITING: Final = 200
"""Tags of the second encoder that are kept until it is known whether it goes on with the same video."""

_LEAST_GAP_MS: Final = 20
_MOST_GAP_MS: Final = 60_000
_TIME_MASK: Final = 0xFFFF_FFFF
_HALF: Final = 1 << 31


class OtherMedia(Exception):
    """The second encoder sends other media than the first one.

    Attributes:
        data: What it has sent, as FLV from the beginning.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__("The encoder sends other media than the one before.")
        self.data = data


class Splice:
    """What goes into one media stream, from one encoder after the other.

    Args:
        clock: Seconds of a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._splitter = TagSplitter()
        self._begun = False
        self._parameters: dict[Kind, bytes] = {}
        self._offset = 0
        self._last: int | None = None
        self._last_at = clock()
        self._waiting: list[Tag] | None = None
        self._raw = bytearray()

    def next_encoder(self) -> None:
        """Expect the FLV of another encoder from now on."""
        self._splitter = TagSplitter()
        self._raw.clear()
        if self._parameters:
            self._waiting = []

    def feed(self, data: bytes) -> bytes:
        """The FLV to write for what an encoder has sent.

        Raises:
            OtherMedia: The encoder does not go on with the media of the one before. What it has sent begins another
                stream, of another splice.
            NotFlv: It is no FLV.
        """
        out = bytearray() if self._begun else bytearray(HEADER)
        self._begun = True
        if self._waiting is not None:
            self._raw += data
        for tag in self._splitter.feed(data):
            if self._waiting is None:
                out += self._moved(tag)
                continue
            self._waiting.append(tag)
            if self._is_known():
                waiting, self._waiting = self._waiting, None
                self._raw.clear()
                out += self._joined(waiting)
        return bytes(out)

    def _is_known(self) -> bool:
        """Whether it is known that the second encoder goes on with the same media.

        Raises:
            OtherMedia: It is known that it does not.
        """
        waiting = self._waiting or []
        deciding: Kind = "video" if "video" in self._parameters else "audio"
        parameters = _parameters(waiting)
        other = any(self._parameters.get(kind, found) != found for kind, found in parameters.items())
        if other or len(waiting) > MOST_WAITING:
            raise OtherMedia(bytes(self._raw))
        return deciding in parameters and waiting[-1].media and waiting[-1].kind == deciding

    def _joined(self, waiting: list[Tag]) -> bytes:
        since = round((self._clock() - self._last_at) * 1000)
        begin = (self._last or 0) + min(max(since, _LEAST_GAP_MS), _MOST_GAP_MS)
        first = min(timestamp_ms(tag.data) for tag in waiting if tag.media)
        self._offset = begin - first
        return b"".join(self._moved(tag, None if tag.media else begin) for tag in waiting)

    def _moved(self, tag: Tag, at: int | None = None) -> bytes:
        for kind, found in _parameters([tag]).items():
            if tag.header:
                self._parameters[kind] = found
            else:
                self._parameters.setdefault(kind, found)
        at = timestamp_ms(tag.data) + self._offset if at is None else at
        at &= _TIME_MASK
        if tag.media:
            self._last_at = self._clock()
            if self._last is None or (at - self._last) & _TIME_MASK < _HALF:  # audio and video are not sorted
                self._last = at
        if not self._offset:
            return tag.data
        moved = bytearray(tag.data)
        moved[4:7], moved[7] = (at & 0xFF_FFFF).to_bytes(3, "big"), at >> 24
        return bytes(moved)


def _parameters(tags: list[Tag]) -> dict[Kind, bytes]:
    """The decoder's parameters by kind: the sequence header, or what identifies a codec that has none."""
    found: dict[Kind, bytes] = {}
    for tag in tags:
        if tag.kind in {"audio", "video"} and (tag.header or tag.media):
            if tag.header:
                found[tag.kind] = tag.data[TAG_HEADER_BYTES:-4]
            else:
                found.setdefault(tag.kind, tag.codec)
    return found
