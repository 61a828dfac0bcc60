"""The interface to cameras that send to other nodes, and its implementation for a single node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from stagedoor.tenancy.nouns import AppSettings


class OtherNodes(Protocol):
    """Finds the cameras that send to other nodes, and fetches their frames."""

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """The ids of the cameras that send to other nodes, by room."""
        ...

    def watch(self, livekit_room: str, settings: AppSettings) -> AbstractAsyncContextManager[None]:
        """Receive the room's frames on this node while the context lasts, whichever node its camera sends to."""
        ...

    def watch_this_one(self, livekit_room: str) -> bool:
        """Whether another node has viewers of the camera that sends to the room on this one."""
        ...

    async def run(self) -> None:
        """Exchange messages with the other nodes until cancelled; then report this node's cameras as offline."""
        ...


class SingleNode:
    """The only node of its installation: no camera sends to another one."""

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """Always empty: no camera sends to another node."""
        del livekit_rooms
        return {}

    @asynccontextmanager
    async def watch(self, livekit_room: str, settings: AppSettings) -> AsyncGenerator[None]:
        """Do nothing: every frame is received by this node."""
        del livekit_room, settings
        yield

    def watch_this_one(self, livekit_room: str) -> bool:
        """Never: there is no other node."""
        del livekit_room
        return False

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()
