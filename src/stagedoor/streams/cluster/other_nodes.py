"""Cameras that send to other nodes: what this one must know of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from stagedoor.tenancy.nouns import AppSettings


class OtherNodes(Protocol):
    """The other nodes."""

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """The ids of the cameras that send to other nodes, by room."""
        ...

    def watch(self, livekit_room: str, settings: AppSettings) -> AbstractAsyncContextManager[None]:
        """Have the room's frames here while the context lasts, whichever node its camera sends to."""
        ...

    async def run(self) -> None:
        """Keep in touch for ever; say goodbye when cancelled."""
        ...


class SingleNode:
    """There are none."""

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """No camera is anywhere else."""
        del livekit_rooms
        return {}

    @asynccontextmanager
    async def watch(self, livekit_room: str, settings: AppSettings) -> AsyncGenerator[None]:
        """Every frame is here."""
        del livekit_room, settings
        yield

    async def run(self) -> None:
        """Nothing to do, for ever."""
        await asyncio.Event().wait()
