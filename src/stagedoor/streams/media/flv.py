"""FLV tags: where they begin and end, and which a reader needs first. The module imports nothing of Stagedoor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

HEADER: Final = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
"""The file header, which announces audio and video, and the first back pointer."""

TAG_HEADER_BYTES: Final = 11
MAX_TAG_BYTES: Final = 8 << 20

_AUDIO: Final = 8
_VIDEO: Final = 9
_SCRIPT: Final = 18
_AAC: Final = 10
_EX_AUDIO: Final = 9
_CODECS_WITH_HEADER: Final = (7, 12)
_KEY: Final = 1
_EX_SEQUENCE_START: Final = 0

Kind = Literal["audio", "video", "script", "other"]
_KINDS: Final[dict[int, Kind]] = {_AUDIO: "audio", _VIDEO: "video", _SCRIPT: "script"}

LIVE_MARK: Final = bytes((_SCRIPT, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0)) + b"\x02\x00\x0bstagedoor:l" + b"\x00\x00\x00\x19"
"""A script tag of our own between what is replayed and what is live."""


class NotFlv(ValueError):
    """The bytes are no FLV."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag with its back pointer.

    Attributes:
        codec: What identifies the codec in the tag: the sound format, the codec id or the FourCC.
        header: Whether the tag configures the decoder (a sequence header).
        key: Whether a decoder can begin at this tag of a video.
    """

    data: bytes
    kind: Kind
    codec: bytes
    header: bool
    key: bool
    media: bool


def parse_tag(data: bytes) -> Tag:
    """The tag that is in `data`."""
    kind = _KINDS.get(data[0] & 0x1F, "other")
    body = data[TAG_HEADER_BYTES:-4]
    if not body or kind in {"script", "other"}:
        return Tag(data, kind, b"", header=False, key=False, media=False)
    return _video(data, body) if kind == "video" else _audio(data, body)


def _video(data: bytes, body: bytes) -> Tag:
    first = body[0]
    if first & 0x80:
        packet_type, frame_type = first & 0x0F, (first >> 4) & 0x07
        header = packet_type == _EX_SEQUENCE_START
        # Type 1 and 3 are coded frames, 6 is multitrack; the others end a sequence or carry metadata.
        media = packet_type in {1, 3, 6}
        return Tag(data, "video", body[1:5], header=header, key=media and frame_type == _KEY, media=media)
    frame_type, codec = first >> 4, first & 0x0F
    if codec in _CODECS_WITH_HEADER and len(body) > 1:
        header, media = body[1] == 0, body[1] == 1
    else:
        header, media = False, True
    if frame_type == 5:  # a command frame
        header = media = False
    return Tag(data, "video", bytes((codec,)), header=header, key=media and frame_type == _KEY, media=media)


def _audio(data: bytes, body: bytes) -> Tag:
    form = body[0] >> 4
    if form == _EX_AUDIO:
        packet_type = body[0] & 0x0F
        return Tag(data, "audio", body[1:5], header=packet_type == 0, key=False, media=packet_type in {1, 5})
    header = form == _AAC and len(body) > 1 and body[1] == 0
    # AAC's parameters are in its header; those of other formats are in the first byte of each tag.
    codec = bytes((form if form == _AAC else body[0],))
    return Tag(data, "audio", codec, header=header, key=False, media=not header and len(body) > 1)


class TagSplitter:
    """Splits a stream of bytes into tags, however the bytes come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Tag]:
        """The tags that are complete now.

        Raises:
            NotFlv: The bytes are no FLV.
        """
        self._buffer += data
        if not self._begun:
            if len(self._buffer) < len(HEADER):
                return
            if not self._buffer.startswith(b"FLV"):
                raise NotFlv("the stream does not begin with an FLV header")
            del self._buffer[: len(HEADER)]
            self._begun = True
        begin = 0
        try:
            while len(self._buffer) - begin >= TAG_HEADER_BYTES:
                size = int.from_bytes(self._buffer[begin + 1 : begin + 4], "big")
                if size > MAX_TAG_BYTES or any(self._buffer[begin + 8 : begin + 11]):
                    raise NotFlv("an FLV tag has an impossible header")
                end = begin + TAG_HEADER_BYTES + size + 4
                if len(self._buffer) < end:
                    break
                if int.from_bytes(self._buffer[end - 4 : end], "big") != size + TAG_HEADER_BYTES:
                    raise NotFlv("an FLV tag has an impossible length")
                yield parse_tag(bytes(self._buffer[begin:end]))
                begin = end
        finally:
            del self._buffer[:begin]


def timestamp_ms(tag: bytes) -> int:
    """The time stamp of a tag, 32 bits."""
    return int.from_bytes(tag[4:7], "big") | tag[7] << 24
