"""The composition of one room for its HLS: begun when one stream does not show all that is published there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.outputs.composition.compositions import Compositions
from stagedoor.streams.media.stream import MediaStream
from stagedoor.tenancy.nouns import App

Publishers = Callable[[str], Awaitable[set[str]]]
"""The identities of those that publish in a room."""

_USER: Final = "hls"


class RoomComposition:
    """Composes one room while it must be.

    Args:
        compositions: Those of this node.
        publishers: Says who publishes.
        app: Whose room it is.
        livekit_room: The room.

    Attributes:
        others: Whether one publishes whose stream is not of this node, such as a participant by WebRTC.
        stream: The composed stream, while there is one.
        refusal: Why there is none, though there should be.
    """

    def __init__(self, compositions: Compositions, publishers: Publishers, app: App, livekit_room: str) -> None:
        self._compositions = compositions
        self._publishers = publishers
        self._app = app
        self._room = livekit_room
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self.others = False
        self.stream: MediaStream | None = None
        self.refusal: Problem | None = None

    async def look(self, streams: Sequence[MediaStream]) -> None:
        """Compose the room if it must be now, and otherwise no more.

        Args:
            streams: What is sent to it by encoders and pulled URLs of this node.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(streams), name=f"look at {self._room}")
        await asyncio.shield(self._looking)

    def close(self) -> None:
        """Need it no more."""
        self._closed = True
        self._leave()

    async def _look(self, streams: Sequence[MediaStream]) -> None:
        try:
            publishers = await self._publishers(self._room)
        except StorageUnavailable:
            return  # it goes on as it was
        self.others = bool(publishers - {stream.identity for stream in streams})
        if not self.others and len(streams) < 2:
            self._leave()
            return
        if self.stream is not None and not self.stream.ended.done():
            return
        self.stream = None
        try:
            stream = await self._compositions.use(self._app, self._room, _USER)
        except (Problem, StorageUnavailable) as error:
            self.refusal = error if isinstance(error, Problem) else None
            return
        if self._closed:
            self._compositions.leave(self._room, _USER)
            return
        self.stream, self.refusal = stream, None

    def _leave(self) -> None:
        self.refusal = None
        if self.stream is not None:
            self.stream = None
            self._compositions.leave(self._room, _USER)
