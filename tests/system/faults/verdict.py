"""Whether Stagedoor's story is the one that happened.

Each participant of whom a webhook got through, or whom a comparison saw, has to be in it, with the times that LiveKit's
clock gave, and where it gave none with times that are as near as their source (docs/how-it-works/call-state.md) allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stagedoor.kernel.clock import from_rfc3339
from stagedoor.rooms.reconcile import GRACE_MS
from tests.support.product import Api, eventually
from tests.support.rooms_harness import Snapshot, snapshot_of
from tests.support.rooms_invariants import has_one_story, is_whole, nothing_waits
from tests.system.faults.chronicle import FOREVER, History, Life, Presence, Span
from tests.system.faults.conftest import Stage
from tests.system.faults.proxy import Delivery, FaultyProxy
from tests.system.faults.scenario import ROOMS, WITNESS


async def reported(api: Api) -> list[dict[str, Any]]:
    """Every session, whole."""
    listed = (await api("GET", "/apps/live/sessions?limit=200"))["data"]
    return [(await api("GET", f"/apps/live/sessions/{one['id']}"))["data"] for one in listed]


def shape(sessions: list[dict[str, Any]]) -> dict[str, dict[str, tuple[str, str, frozenset[str]]]]:
    """What is live, as `Look.shape` says it."""
    return {
        session["roomSid"]: {
            person["sid"]: (
                person["identity"],
                person["state"],
                frozenset(track["sid"] for track in person["tracks"] if track["unpublishedAt"] is None),
            )
            for person in session["participants"]
            if person["state"] in {"joining", "active"}
        }
        for session in sessions
        if session["state"] == "active"
    }


async def becomes_livekits(stage: Stage) -> None:
    """What is live by REST is what LiveKit lists, and a comparison finds nothing to repair in it."""

    async def same() -> bool:
        listed = (await stage.chronicle.now()).shape
        believed = shape(await reported(stage.api))
        return listed == believed and listed == (await stage.chronicle.now()).shape

    await eventually(same, 20)
    await stage.chronicle.compared()
    assert await same()


async def all_arrived(stage: Stage) -> None:
    """Return when no webhook of before is on its way any more.

    LiveKit sends a room's webhooks in order, each until it is taken or given up; so when the joining of
    a participant who comes now has arrived, all that was before has arrived.
    """
    stays = [await stage.scenario.join(room, WITNESS) for room in ROOMS]
    await _heard(stage, "participant_joined", {stay.sid for stay in stays})


async def all_ended(stage: Stage) -> None:
    """All participants leave, LiveKit ends every room, and all that it says of it arrives."""
    rooms = {life.sid for life in (await stage.chronicle.now()).lives}
    await stage.scenario.end()
    await _heard(stage, "room_finished", rooms)


async def _heard(stage: Stage, event: str, of: set[str]) -> None:
    async def heard() -> bool:
        found = [one.webhook for one in stage.proxy.accepted if one.webhook.event == event]
        return of <= {one.participant or one.room_sid for one in found}

    await eventually(heard, 40)


_SECOND_MS: Final = 1_000
"""LiveKit gives whole seconds for what it does not give in milliseconds."""

_APPLY_MS: Final = 2_000
"""A stored event is applied within a poll of the inbox, which is a second."""

_TOLD: Final = {"livekit", "received"}


def damaged_is_refused(proxy: FaultyProxy) -> None:
    """What was damaged on its way was not taken for an event."""
    assert {delivery.status for delivery in proxy.deliveries if delivery.damaged} <= {400, 401}


async def is_right(stage: Stage) -> Snapshot:
    """All that is over is reported as it was, and once. Stagedoor is stopped for it, and its database returned."""
    evidence = Evidence(stage.chronicle.history(), stage.chronicle.comparisons(), stage.proxy.accepted)
    for stay in stage.scenario.stays:  # two witnesses: the clients, and LiveKit's lists
        presence = evidence.history.people[stay.sid]
        assert (presence.person.identity, presence.room.name, presence.room.sid) == (
            stay.identity,
            stay.room,
            stay.room_sid,
        )
    await eventually(lambda: _is_billed(stage.api))
    sessions = {session["roomSid"]: session for session in await reported(stage.api)}
    assert sessions.keys() <= evidence.history.rooms.keys()
    for sid, (life, span) in evidence.history.rooms.items():
        if sid not in sessions:
            assert not evidence.knew(span, lambda delivery, sid=sid: delivery.webhook.room_sid == sid), life
            continue
        _session_is_right(evidence, sessions[sid], life, span, deleted=sid in stage.scenario.deleted)
    assert await asyncio.to_thread(stage.product.stop) == 0
    found = await snapshot_of(stage.product.data_dir / "stagedoor.db")
    assert {event.id for event in found.inbox} == {delivery.webhook.id for delivery in stage.proxy.accepted}
    assert len(found.participants) == sum(len(session["participants"]) for session in sessions.values()), (
        "a SID is in one session, once"
    )
    nothing_waits(found)
    is_whole(found)
    has_one_story(found)
    return found


async def _is_billed(api: Api) -> bool:
    """The last report of each session's use is what its participants and tracks add up to."""
    for session in await reported(api):
        said = [one for one in session["timeline"] if one["type"] in {"session.ended", "session.corrected"}]
        assert [one["type"] for one in said].count("session.ended") == 1
        last = said[-1]["detail"]
        tracks = [track for person in session["participants"] for track in person["tracks"]]
        people = _presence_ms(session["participants"])
        video = sum(from_rfc3339(track["unpublishedAt"]) - from_rfc3339(track["publishedAt"]) for track in tracks)
        if (last["durationMs"], last["usage"]["participantMinutes"], last["usage"]["videoTrackMinutes"]) != (
            session["durationMs"],
            round(people / 60_000, 4),
            round(video / 60_000, 4),
        ):
            return False  # it is corrected by a job, soon
        assert last["usage"] == session["usage"]
    return True


def _presence_ms(participants: list[dict[str, Any]]) -> int:
    """How long each identity was there, in all: a person who connects again before the old connection ends, once."""
    there = {
        (person["identity"], at)
        for person in participants
        if person["leftAt"] is not None
        for at in range(from_rfc3339(person["joinedAt"]), from_rfc3339(person["leftAt"]))
    }
    return len(there)


@dataclass
class Evidence:
    """What was so, and what of it Stagedoor could know."""

    history: History
    comparisons: list[tuple[int, int]]
    accepted: list[Delivery]

    def knew(self, span: Span, about: Callable[[Delivery], bool]) -> bool:
        """Whether a webhook about it got through, or a comparison began and ended while LiveKit listed it."""
        return any(map(about, self.accepted)) or self._sure(span) is not None

    def only_tracks_were_heard_of(self, span: Span, about: Callable[[Delivery], bool]) -> bool:
        """Whether no comparison was sure to see it, and no webhook about itself got through."""
        heard = {delivery.webhook.event for delivery in self.accepted if about(delivery)}
        return heard <= {"track_published", "track_unpublished"} and self._sure(span) is None

    def may_be_inferred(self, span: Span, about: Callable[[Delivery], bool]) -> tuple[int, int]:
        """The earliest and the latest that an end may have which no webhook reported.

        It was seen by any comparison that ran within; and the first one that judges it closes it.
        """
        changed = [delivery.answered_at + _APPLY_MS for delivery in self.accepted if about(delivery)]
        changed += [ended for begun, ended in self.comparisons if begun <= span.gone]
        unchanged = max([span.gone, *changed]) + GRACE_MS
        latest = next((ended for begun, ended in self.comparisons if begun > unchanged), FOREVER)
        return self._sure(span) or 0, latest

    def noticed_by(self, at: int) -> int:
        """The end of the first comparison that begins after it."""
        return next((ended for begun, ended in self.comparisons if begun > at), FOREVER)

    def _sure(self, span: Span) -> int | None:
        within = [begun for begun, ended in self.comparisons if span.seen <= begun and ended <= span.last]
        return max(within, default=None)


def _session_is_right(evidence: Evidence, session: dict[str, Any], life: Life, span: Span, *, deleted: bool) -> None:
    def about(delivery: Delivery) -> bool:
        return delivery.webhook.room_sid == life.sid

    assert (session["livekitRoom"], session["state"]) == (life.name, "ended")
    if session["startedAtSource"] == "livekit":
        assert from_rfc3339(session["startedAt"]) == life.created_at
    else:
        assert evidence.only_tracks_were_heard_of(span, about), "all else names the time of creation"
        assert life.created_at <= from_rfc3339(session["startedAt"]) <= span.gone + _SECOND_MS
    _end_is_right(evidence, session["endedAt"], session["endedAtSource"], span, about, session)
    there = {sid: one for sid, one in evidence.history.people.items() if one.room.sid == life.sid}
    people = {person["sid"]: person for person in session["participants"]}
    assert len(people) == len(session["participants"])
    assert people.keys() <= there.keys()
    for sid, presence in there.items():
        if sid in people:
            _participant_is_right(evidence, session, people[sid], presence)
        else:
            assert presence.active is not None
            assert not evidence.knew(presence.active, lambda delivery, sid=sid: delivery.webhook.participant == sid), (
                presence
            )
    allowed = {"terminated"} if deleted else set[str]()
    if session["endedAtSource"] == "reconcile":
        allowed |= {"server_lost", "completed"}
    elif not deleted or not any(person["reason"] == "ROOM_DELETED" for person in people.values()):
        allowed.add("completed" if people else "expired")
    assert session["disposition"] in allowed, session


def _participant_is_right(
    evidence: Evidence, session: dict[str, Any], person: dict[str, Any], presence: Presence
) -> None:
    def about(delivery: Delivery) -> bool:
        return delivery.webhook.participant == presence.person.sid

    assert (person["identity"], person["state"]) == (presence.person.identity, "left"), (person, presence)
    joined_at, left_at = from_rfc3339(person["joinedAt"]), from_rfc3339(person["leftAt"])
    assert person["durationMs"] == left_at - joined_at
    if {person["leftAtSource"], session["endedAtSource"]} <= _TOLD:
        assert left_at <= from_rfc3339(session["endedAt"]), (person, session)
    if person["joinedAtSource"] == "livekit":
        assert joined_at == presence.person.joined_at
    else:
        assert person["joinedAtSource"] == "reconcile"
        assert evidence.only_tracks_were_heard_of(presence.span, about), "all else names the time of joining"
        assert presence.person.joined_at <= joined_at <= presence.span.gone + _SECOND_MS
    if person["leftAtSource"] == "session_end":
        assert person["leftAt"] == session["endedAt"]
    else:
        _end_is_right(evidence, person["leftAt"], person["leftAtSource"], presence.span, about, person)
    assert {track["sid"] for track in person["tracks"]} <= presence.tracks.keys()
    for sid, span in presence.tracks.items():
        for track in person["tracks"]:
            if track["sid"] == sid:
                _track_is_right(evidence, person, track, span)
                break
        else:
            assert not evidence.knew(span, lambda delivery, sid=sid: delivery.webhook.track == sid), (person, sid)


def _track_is_right(evidence: Evidence, person: dict[str, Any], track: dict[str, Any], span: Span) -> None:
    def about(delivery: Delivery) -> bool:
        return delivery.webhook.track == track["sid"]

    began = from_rfc3339(track["publishedAt"])
    ended = from_rfc3339(track["unpublishedAt"])
    assert (track["kind"], track["source"]) == ("video", "camera")
    assert began <= ended
    if person["leftAtSource"] in _TOLD:
        assert ended <= from_rfc3339(person["leftAt"]), (person, track, span)
    if track["publishedAtSource"] in _TOLD:
        assert span.from_ - _SECOND_MS <= began <= span.seen + _SECOND_MS
    elif track["publishedAtSource"] == "reconcile":
        assert span.from_ <= began <= evidence.noticed_by(span.seen)
    else:
        assert began == ended, "all that was heard of it is its end"
    if track["unpublishedAtSource"] == "session_end":
        assert track["unpublishedAt"] == person["leftAt"]
    else:
        _end_is_right(evidence, track["unpublishedAt"], track["unpublishedAtSource"], span, about, track)


def _end_is_right(
    evidence: Evidence, at: str, source: str, span: Span, about: Callable[[Delivery], bool], what: object
) -> None:
    if source in _TOLD:
        earliest, latest = span.last - _SECOND_MS, span.gone + _SECOND_MS
    else:
        assert source == "reconcile"
        earliest, latest = evidence.may_be_inferred(span, about)
    assert earliest <= from_rfc3339(at) <= latest, (earliest, latest, from_rfc3339(at), source, span, what)
