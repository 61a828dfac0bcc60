"""Ends a stream whose video cannot be decoded: viewers would see nothing, and its encoder believes that it is live."""

from __future__ import annotations

from typing import Final

from stagedoor.streams.media.child.media import StreamFailed

HEADER_MS: Final = 10_000
"""Video that needs a sequence header is waited for so long: drones send theirs some seconds after the metadata."""

PICTURE_US: Final = 30_000_000
"""A picture is waited for so long: a stream that begins in the middle has none before its next key frame."""

_IN_A_ROW: Final = 16
"""So many whole pictures in a row are no chance, and fewer damaged ones end no stream, however slow it is."""

_NAMES: Final = {b"\x07": "H.264", b"\x0c": "HEVC", b"hvc1": "HEVC"}
"""Codecs whose packets need it; AV1 and VP9 bring their own."""


class HeaderWatch:
    """Whether video comes with the sequence header that its decoder needs."""

    def __init__(self) -> None:
        self._since: int | None = None

    def take(self, codec: bytes, timestamp: int, *, known: bool) -> None:
        """Take note of a tag with video.

        Args:
            codec: As the tag has it.
            timestamp: Of the tag, in milliseconds.
            known: Whether a sequence header of its codec has come.

        Raises:
            StreamFailed: None has, for too long.
        """
        if known or codec not in _NAMES:
            self._since = None
        elif self._since is None:
            self._since = timestamp
        elif timestamp - self._since >= HEADER_MS:
            raise StreamFailed(
                "undecodable",
                f"The encoder sends {_NAMES[codec]} without its sequence header (the decoder's configuration), so that"
                " nothing can be decoded. Have the encoder send it first, or start its stream again; a relay must send"
                " it to each server that it connects to.",
            )


class PictureWatch:
    """Whether a picture comes of the video."""

    def __init__(self) -> None:
        self._since: int | None = None

    def take(self, at: int, *, seen: bool) -> None:
        """Take note of a packet with video.

        Args:
            at: When it is decoded, in microseconds.
            seen: Whether a picture was decoded.

        Raises:
            StreamFailed: None was, for too long.
        """
        if seen:
            self._since = None
        elif self._since is None:
            self._since = at
        elif at - self._since >= PICTURE_US:
            raise StreamFailed(
                "undecodable",
                f"No picture of the video can be decoded within {PICTURE_US // 1_000_000} seconds: it is broken, or has"
                " no key frame. Set the encoder to H.264 with a key frame every 2 seconds, and start its stream again.",
            )


class DamageWatch:
    """Whether pictures go on coming, when some have come."""

    def __init__(self) -> None:
        self._since: int | None = None
        self._whole = self._broken = self._in_a_row = 0

    def take(self, at: int, *, whole: bool) -> None:
        """Take note of a packet that should have a picture.

        Args:
            at: When it is decoded, in microseconds.
            whole: Whether it has one, as far as can be seen.

        Raises:
            StreamFailed: Most had none, for too long.
        """
        if whole:
            self._whole += 1
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                self._since = None
            return
        if self._since is None:
            self._since, self._whole, self._broken = at, 0, 0
        self._broken += 1
        self._in_a_row = 0
        if at - self._since >= PICTURE_US and self._broken > max(self._whole, _IN_A_ROW):
            raise StreamFailed(
                "undecodable",
                f"Most of the video has been broken for {PICTURE_US // 1_000_000} seconds, so that no picture can be"
                " decoded any more. Start the encoder's stream again.",
            )
