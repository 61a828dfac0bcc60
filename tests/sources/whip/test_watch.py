"""What becomes of a WHIP session, when LiveKit's answers are given."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stagedoor.kernel.errors import NotFound, Unavailable
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.state import State
from stagedoor.sources.whip.watch import WhipWatcher

pytestmark = pytest.mark.anyio

SID = "PA_encoder"


class Parts:
    """LiveKit, the tokens and the database of a watcher: the participant is what `found` is."""

    def __init__(self, found: ParticipantSnapshot | Exception) -> None:
        self.found = found
        self.deleted: list[str] = []
        self.live: LiveIngress | None = None
        self.over_when_deleted: bool | None = None

    async def participant(self, *_: object) -> ParticipantSnapshot:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def issue(self, *_: object) -> SimpleNamespace:
        return SimpleNamespace(jwt="token")

    async def delete(self, _: str, participant_sid: str) -> None:
        self.deleted.append(participant_sid)
        self.over_when_deleted = self.live is not None and self.live.over

    async def write(self, _: object) -> None:
        pass


async def ended(parts: Parts, connect_seconds: float = 30.0) -> LiveIngress:
    """A session that was watched until it was over."""
    ingress = SimpleNamespace(id="igr_1", livekit_room="live-door", identity="whip-1")
    authenticated = AuthenticatedIngress(cast("Any", ingress), cast("Any", None), "digest")
    live = parts.live = LiveIngress(authenticated, "whip", "pub_1", State("connecting"))
    fake = cast("Any", parts)
    watcher = WhipWatcher(fake, fake, fake, fake, connect_seconds=connect_seconds)
    watcher.watch(live, SID)
    await asyncio.wait_for(watcher.ended(live), 20)
    return live


async def test_an_encoder_that_sends_nothing_is_given_up() -> None:
    parts = Parts(ParticipantSnapshot(SID, "whip-1"))
    live = await ended(parts, connect_seconds=0)
    assert live.state.error is not None
    assert (live.state.status, live.state.error.code) == ("error", "connection_failed")
    assert parts.deleted == [SID]
    assert parts.over_when_deleted is False, "the state said that it had ended while its participant was in the room"


async def test_an_encoder_that_never_connects_has_failed() -> None:
    live = await ended(Parts(NotFound("There is no such participant.")), connect_seconds=0)
    assert live.state.error is not None
    assert live.state.error.code == "connection_failed"


async def test_a_participant_of_a_newer_session_is_not_taken_for_the_own_one() -> None:
    parts = Parts(ParticipantSnapshot("PA_newer", "whip-1"))
    await ended(parts, connect_seconds=0)
    assert parts.deleted == [SID]


async def test_a_session_goes_on_while_livekit_does_not_answer() -> None:
    parts = Parts(Unavailable("LiveKit does not answer."))
    task = asyncio.create_task(ended(parts, connect_seconds=0))
    await asyncio.wait([task], timeout=0.6)
    assert not task.done()
    parts.found = NotFound("There is no such participant.")
    assert (await task).over
