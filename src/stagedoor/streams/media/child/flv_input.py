"""FLV from a socket, through FFmpeg's demuxer.

FFmpeg finds the tracks of an FLV when it opens it, and PyAV knows none that come later. So the stream is cut where a
track begins or changes its codec or parameters, and each piece is opened as a file of its own, which begins with the
newest sequence headers.
"""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

import av
from av.error import FFmpegError
from av.stream import Stream

from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track
from stagedoor.streams.media.child.reader import Reader
from stagedoor.streams.media.child.timeline import Timeline
from stagedoor.streams.media.child.undecodable import DamageWatch, HeaderWatch
from stagedoor.streams.media.flv import HEADER, LIVE_MARK, NotFlv, Tag, TagSplitter, timestamp_ms

_OPTIONS: Final = {"probesize": "32", "analyzeduration": "0"}
"""Opened without reading ahead: what is read for it delays the first picture."""
_CHUNK_BYTES: Final = 1 << 16
_TO_MICROSECONDS: Final = 1_000_000
_MOST_LEAD_US: Final = 1_000_000
"""A source that sends faster than time passes is read no faster."""


class _Piece:
    """A file of whole tags for FFmpeg, which ends where the tracks change."""

    def __init__(self, feed: _Feed) -> None:
        self._feed = feed
        self._rest = HEADER + b"".join(tag.data for tag in feed.headers.values())

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = self._feed.next_of_piece()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Feed:
    """The tags from the socket.

    Attributes:
        headers: The newest sequence header of each track.
        live: Whether the mark between what is replayed and what is live was read.
        has_picture: Whether a picture was decoded, as it can be without a sequence header.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._splitter = TagSplitter()
        self._tags: deque[Tag] = deque()
        self._codecs: dict[str, bytes] = {}
        self.headers: dict[str, Tag] = {}
        self.live = False
        self.has_picture: Callable[[], bool] = lambda: False
        self.ended = False
        self.failure: StreamFailed | None = None
        self._headers_watch = HeaderWatch()
        self._damage = DamageWatch()

    def wait_for_media(self) -> bool:
        """Read until there is a tag with media, and begin a piece there; false when the stream has ended."""
        while (tag := self._next()) is not None:
            if tag.header:
                self.headers[tag.kind] = tag
            elif tag.media:
                self._codecs = {kind: header.codec for kind, header in self.headers.items()} | {tag.kind: tag.codec}
                for kind in [kind for kind, header in self.headers.items() if header.codec != self._codecs[kind]]:
                    del self.headers[kind]
                self._tags.appendleft(tag)
                return True
        return False

    def next_of_piece(self) -> bytes:
        """The next tag; empty at the end of the piece."""
        while (tag := self._next()) is not None:
            if not tag.header and not tag.media:
                continue
            known = self.headers.get(tag.kind)
            changed = tag.header and (known is None or known.data[11:] != tag.data[11:])
            if changed or self._codecs.get(tag.kind) != tag.codec:
                self._tags.appendleft(tag)
                return b""
            if not tag.header:
                return tag.data
        return b""

    def _next(self) -> Tag | None:
        while not self._tags:
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            if not data:
                self.ended = True
                return None
            try:
                self._tags.extend(self._splitter.feed(data))
            except NotFlv as error:
                return self._fail(StreamFailed("source_failed", f"The stream cannot be read: {error}."))
        tag = self._tags.popleft()
        if tag.data[11:-4] == LIVE_MARK[11:-4]:
            self.live = True
        if tag.kind == "video" and not tag.header and self.live:
            try:
                self._watch(tag)
            except StreamFailed as failure:
                return self._fail(failure)
        return tag

    def _watch(self, tag: Tag) -> None:
        at = timestamp_ms(tag.data)
        self._damage.take(at * 1_000, whole=tag.media)
        if tag.media:
            header = self.headers.get("video")
            known = (header is not None and header.codec == tag.codec) or self.has_picture()
            self._headers_watch.take(tag.codec, at, known=known)

    def _fail(self, failure: StreamFailed) -> None:
        self.ended, self.failure = True, failure


class FlvInput:
    """Reads the packets of an FLV stream."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._feed = _Feed(connection)
        self._timeline = Timeline()
        self._was_live = False

    @property
    def has_picture(self) -> Callable[[], bool]:
        """Says whether a picture was decoded, which can be without a sequence header."""
        return self._feed.has_picture

    @has_picture.setter
    def has_picture(self, asked: Callable[[], bool]) -> None:
        self._feed.has_picture = asked

    def close(self) -> None:
        """End `packets`, from another thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def packets(self) -> Iterator[MediaPacket]:
        """All packets, until the stream ends.

        Raises:
            StreamFailed: The stream is no FLV.
        """
        try:
            while not self._feed.ended and self._feed.wait_for_media():
                yield from self._piece()
            if self._feed.failure is not None:
                raise self._feed.failure
        finally:
            self._socket.close()

    def _piece(self) -> Iterator[MediaPacket]:
        try:
            container = av.open(_Piece(self._feed), "r", format="flv", options=_OPTIONS)
        except FFmpegError as error:
            raise StreamFailed("source_failed", f"The stream cannot be read: {error.strerror}.") from error
        with container:
            # Of several tracks of a kind, as multitrack RTMP sends them, the first is taken.
            first = [*container.streams.video[:1], *container.streams.audio[:1]]
            readers = {stream.index: Reader(stream) for stream in first}
            try:
                for packet in container.demux(first):
                    reader = readers[packet.stream_index]
                    if reader.track is not None and packet.size and packet.dts is not None:
                        yield self._place(reader.track, packet, reader)
            except FFmpegError:
                return  # the next piece begins at the next tag

    def _place(self, track: Track, packet: av.Packet[Stream], reader: Reader) -> MediaPacket:
        live = self._feed.live
        if live and not self._was_live:
            self._was_live = True
            self._timeline.restart()
        base: Fraction = packet.time_base * _TO_MICROSECONDS
        stamp = int((packet.dts or 0) * base)
        now = time.monotonic_ns() // 1000
        offset = int(((packet.pts if packet.pts is not None else packet.dts or 0) - (packet.dts or 0)) * base)
        dts = self._timeline.place(track.kind, stamp, now) if live else stamp
        if live and dts - now > _MOST_LEAD_US:
            time.sleep((dts - now - _MOST_LEAD_US / 2) / 1_000_000)
        key = packet.is_keyframe
        return MediaPacket(track, reader.data(packet), dts + offset, dts, key, live)  # the filter empties the packet
