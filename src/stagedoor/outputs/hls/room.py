"""The HLS of one room: follows the room's source, and keeps the window of what it sends."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.outputs.hls import playlist
from stagedoor.outputs.hls.composed import RoomComposition
from stagedoor.outputs.hls.reload import WAIT_TARGETS, Waiters, Wanted
from stagedoor.outputs.hls.settings import PART_SECONDS, HlsSettings
from stagedoor.outputs.hls.source import RoomNow, choose
from stagedoor.outputs.hls.viewers import HlsViewers
from stagedoor.outputs.hls.window import Window, first_number
from stagedoor.streams.media.outputs import MediaOutput
from stagedoor.streams.media.protocol import SegmentOutput
from stagedoor.streams.media.segments import Header, Initialization, Part
from stagedoor.streams.media.stream import MediaStream
from stagedoor.streams.media.workers import MediaWorkers

FIRST_WAIT_SECONDS: Final = 8.0
"""How long the first request waits for a first segment; hls.js gives an answer ten seconds to begin."""
_LONGEST_WAIT_SECONDS: Final = 9.0
"""For the same reason."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A playlist.

    Attributes:
        packed: The same with gzip.
    """

    plain: bytes
    packed: bytes


class HlsRoom:
    """The HLS of one room.

    Args:
        livekit_room: The room.
        settings: Those of its app when it began.
        workers: Have the streams of the room.
        viewers: Who watches.
        number: The window's first number is not below this.
        composition: Shows all participants, where rooms can be composed.
    """

    def __init__(
        self,
        livekit_room: str,
        settings: HlsSettings,
        workers: MediaWorkers,
        viewers: HlsViewers,
        number: int = 0,
        composition: RoomComposition | None = None,
    ) -> None:
        self._room = livekit_room
        self._settings = settings
        self._workers = workers
        self._composition = composition
        self.viewers = viewers
        self.window = Window(settings.window, max(number, first_number(now_ms())))
        self.waiters = Waiters()
        self._stream: MediaStream | None = None
        self._output: MediaOutput | None = None
        self._coming: tuple[MediaStream, MediaOutput] | None = None
        self._prepared: tuple[Header, bytes] = Initialization("", 0, 0, 0.0), b""
        self._rendered: dict[bool, tuple[int, Rendered]] = {}
        self._used_at = self._heard_at = time.monotonic()
        self._closed = False
        self.follow()

    @property
    def viewer_seconds(self) -> float:
        """How long one who has asked for a playlist watches."""
        return WAIT_TARGETS * float(self._settings.segment)

    @property
    def live(self) -> bool:
        """Whether there is a source, or one has sent something a short time ago and may come back."""
        return self._stream is not None or (
            bool(self.window.segments) and time.monotonic() - self._heard_at < self._settings.idle
        )

    @property
    def watched(self) -> bool:
        """Whether a viewer asks, or has asked a short time ago."""
        return self.waiters.count > 0 or time.monotonic() - self._used_at <= self._settings.idle

    @property
    def idle(self) -> bool:
        """Whether it may end: no viewer has asked for long, and the app does not have it made always."""
        if self._settings.start == "always" and self._stream is not None:
            return False
        return not self.watched

    def use(self) -> None:
        """Note that a viewer asks."""
        self._used_at = time.monotonic()

    def follow(self) -> None:
        """The room's streams may have changed: show what is to be shown now."""
        if self._closed:
            return
        streams, composition = self._workers.streams_to(self._room), self._composition
        composed = None if composition is None else composition.stream
        others = composition is not None and composition.others
        chosen = choose(RoomNow(streams, self._stream, others, composed))
        if self._coming is not None and chosen is not self._coming[0]:
            self._coming[0].stop_output(self._coming[1])
            self._coming = None
        if chosen is self._stream or (self._coming is not None and chosen is self._coming[0]):
            return
        if chosen is None:
            self._stop()
            return
        if self._stream is not None and self._stream not in (*streams, composed):
            self._stop()
        order = SegmentOutput(float(self._settings.segment), PART_SECONDS)
        output = chosen.start_output(order, lambda header, media: self._take(chosen, header, media))
        if self._stream is None:
            self._stream, self._output = chosen, output
        else:  # what is shown goes on until the other one has something to show
            self._coming = chosen, output

    async def look(self) -> None:
        """Others may publish now, or no more: compose the room if it must be, and show what is to be shown.

        Raises:
            Problem: There is nothing to show, because the room cannot be composed now.
        """
        composition = self._composition
        if composition is None or self._closed:
            return
        await composition.look(self._workers.streams_to(self._room))
        self.follow()
        if composition.refusal is not None and not self.live:
            raise composition.refusal

    async def begun(self) -> bool:
        """Wait until there is something to watch; returns whether there is."""
        return await self.waiters.until(lambda: self._closed or bool(self.window.segments), FIRST_WAIT_SECONDS) and (
            not self._closed
        )

    async def reached(self, wanted: Wanted) -> None:
        """Wait until the playlist has what is wanted, three target durations at the most.

        Raises:
            BadRequest: No playlist has it soon.
            Unavailable: Too many wait.
        """
        wanted.refuse_far_ahead(self.window, PART_SECONDS)
        await self._until(lambda: self.window.has(wanted.number, wanted.part))

    async def media(self, name: str) -> bytes | memoryview | None:
        """The media at a path below `m/`; of the part that comes next it is waited for.

        Raises:
            Unavailable: Too many wait.
        """
        window = self.window
        if window.timeline is not None and name == window.hint:
            await self._until(lambda: window.find(name) is not None or name != window.hint)
        return window.find(name)

    def multivariant(self, uri: str) -> bytes:
        """The playlist that names the variant at `uri`."""
        timeline = self.window.timeline
        assert timeline is not None  # noqa: S101 - it has begun
        return playlist.multivariant(timeline, uri).encode()

    def media_playlist(self, *, skip: bool) -> Rendered:
        """The playlist of segments."""
        known = self._rendered.get(skip)
        if known is not None and known[0] == self.window.version:
            return known[1]
        plain = playlist.media(self.window, self._settings.segment, PART_SECONDS, skip=skip).encode()
        rendered = Rendered(plain, gzip.compress(plain, 5))
        self._rendered[skip] = self.window.version, rendered
        return rendered

    def close(self) -> None:
        """End it; who waits gets an answer."""
        self._closed = True
        self._stop()
        if self._composition is not None:
            self._composition.close()
        self.viewers.close()
        self.waiters.wake()

    def _stop(self) -> None:
        if self._stream is not None and self._output is not None:
            self._stream.stop_output(self._output)
        self._stream = self._output = None
        if self._coming is not None:
            self._coming[0].stop_output(self._coming[1])
            self._coming = None

    def _take(self, stream: MediaStream, header: Header, media: bytes) -> None:
        if self._coming is not None and stream is self._coming[0] and isinstance(header, Part):
            coming, self._coming = self._coming, None
            self._stop()
            self._stream, self._output = coming
            self._show(*self._prepared)
        if stream is not self._stream:
            if isinstance(header, Initialization):
                self._prepared = header, media
            return
        self._show(header, media)

    def _show(self, header: Header, media: bytes) -> None:
        self._heard_at = time.monotonic()
        if isinstance(header, Initialization):
            self.window.begin(header, media)
        else:
            self.window.add(header, media)
        self.waiters.wake()

    async def _until(self, ready: Callable[[], bool]) -> None:
        seconds = WAIT_TARGETS * float(self._settings.segment)
        await self.waiters.until(lambda: self._closed or ready(), min(seconds, _LONGEST_WAIT_SECONDS))
