"""What of a stream is kept in the main process, so that a new worker can go on where the old one died."""

from __future__ import annotations

from typing import Final

from stagedoor.streams.media.flv import HEADER, LIVE_MARK, Tag

MAX_BYTES: Final = 8 << 20
"""Of a longer group of pictures nothing is kept: a new worker waits for the next key frame."""


class Replay:
    """The sequence headers and the video since the last key frame."""

    def __init__(self) -> None:
        self._headers: dict[str, bytes] = {}
        self._group: list[bytes] = []
        self._bytes = 0

    def note(self, tag: Tag) -> None:
        """See a tag go by."""
        if tag.header:
            self._headers[tag.kind] = tag.data
            if tag.kind == "video":
                self._clear()
        elif tag.kind == "video" and tag.media:
            if tag.key:
                self._clear()
            elif not self._group:
                return
            self._group.append(tag.data)
            self._bytes += len(tag.data)
            if self._bytes > MAX_BYTES:
                self._clear()

    def data(self) -> bytes:
        """What a new worker reads first."""
        return b"".join((HEADER, *self._headers.values(), *self._group, LIVE_MARK))

    def _clear(self) -> None:
        self._group.clear()
        self._bytes = 0
