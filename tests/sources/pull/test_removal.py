"""A pull whose participant an operator removes from the room is over at once, and is not begun again."""

from __future__ import annotations

import asyncio

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.sources.ingress.state import Video
from stagedoor.sources.pull import store as pull_store
from stagedoor.storage import Database
from stagedoor.streams.media.protocol import Ended
from tests.sources.ingress.nodes import node
from tests.sources.ingress.test_sessions import in_room, leaves
from tests.sources.pull.test_claims import create, pulling
from tests.support.engines import database, database_url
from tests.support.product import eventually

__all__ = ["database", "database_url"]


@pytest.mark.parametrize("first", ["webhook", "stream"])
async def test_the_state_follows_livekits_webhook_and_does_not_wait_for_the_stream(
    database: Database, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """The stream's connection and LiveKit's webhook end in either order."""
    stopped = asyncio.Event()
    async with node(database) as one, pulling(one) as workers:
        ingress, _ = await create(one)
        one.sessions.forget()
        (stream,) = await eventually(lambda: asyncio.sleep(0, workers.opened))
        monkeypatch.setattr(stream, "stop", stopped.wait)
        one.livekit.people[ingress.livekit_room, ingress.identity] = ParticipantSnapshot("PA_1", ingress.identity)
        (live,) = one.sessions.current()
        live.published(Video("h264"), None)
        await in_room(one, ingress, "PA_1", ingress.identity)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_1"))
        if first == "stream":
            stream.ended.set_result(Ended("removed_from_room", "LiveKit has removed it.", retry=False))
        await leaves(one, ingress, "PA_1", "PARTICIPANT_REMOVED")
        state = await one.becomes(ingress, "inactive")
        assert not stopped.is_set()
        assert state.error is None
        assert (await one.events())[-1][1]["reason"] == "removed"
        assert await database.read(lambda tx: pull_store.list_due(tx, now_ms() + 86_400_000)) == []
        stopped.set()
