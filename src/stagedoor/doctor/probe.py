"""A room that is made to see what happens, and ended again."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Problem
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.version import PROBE_PREFIX

_EMPTY_SECONDS: Final = 30
"""LiveKit ends the room after so long by itself, should this process be killed."""


@dataclass(frozen=True, slots=True)
class ProbeRoom:
    """The room, and the moments around its making in milliseconds since the epoch.

    Attributes:
        name: Its LiveKit name, which no app's room can have.
        asked_at: Ours, before LiveKit was asked.
        created_at: LiveKit's; None when it does not say.
        answered_at: Ours, after it answered.
    """

    name: str
    asked_at: int
    created_at: int | None
    answered_at: int


@asynccontextmanager
async def probe_room(gateway: LiveKitGateway) -> AsyncGenerator[ProbeRoom]:
    """Make a room of a random name and end it afterwards.

    Raises:
        Problem: LiveKit would not.
    """
    name = f"{PROBE_PREFIX}{secrets.token_hex(6)}"
    asked_at = now_ms()
    room = await gateway.create_room(name, empty_timeout=_EMPTY_SECONDS)
    try:
        yield ProbeRoom(name, asked_at, room.created_at, now_ms())
    finally:
        with contextlib.suppress(Problem):
            await gateway.delete_room(name)
