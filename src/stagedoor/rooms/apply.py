"""Apply one of LiveKit's webhook events to the stored state."""

from __future__ import annotations

from typing import Final, Literal

from stagedoor.events.nouns import NewEvent
from stagedoor.mediaserver.livekit_event import MEDIA_EVENTS, ROOM_EVENTS, LiveKitEvent, WireEgress, subject_of
from stagedoor.mediaserver.snapshots import OWN_IDENTITY, RoomSnapshot, clean
from stagedoor.mediaserver.version import PROBE_PREFIX
from stagedoor.rooms import machine, participants_store, store
from stagedoor.rooms.nouns import Moment, Session
from stagedoor.rooms.observe import (
    Observer,
    ensure_session,
    participant_alive,
    participant_gone,
    participant_present,
    participant_published,
    session_alive,
    session_ended,
    track_gone,
    track_present,
)
from stagedoor.storage import Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.nouns import App
from stagedoor.usage import store as usage

Outcome = Literal["applied", "unclaimed", "ignored"]
"""`unclaimed`: the room is no app's. `ignored`: an event that means nothing to us."""


def apply_event(obs: Observer, event: LiveKitEvent, received_at: int, *, again: bool = False) -> Outcome:
    """Take an event into the state. Applying it again changes nothing.

    Args:
        obs: The transaction that also marks the event as applied; its caller flushes it.
        event: LiveKit's event.
        received_at: When it came in, in milliseconds since the epoch.
        again: It was applied before.
    """
    if event.event not in ROOM_EVENTS | MEDIA_EVENTS or event.room_name.startswith(PROBE_PREFIX):
        return "ignored"
    place = _place(obs, event)
    if place is None:
        return "unclaimed"
    app, room, short = place
    if not event.room_name:
        store.lock_rooms(obs.tx, [room.name])  # a transaction that applies events holds only the rooms that they name
    moment = machine.event_moment(received_at, event.sent_at)
    if event.event in MEDIA_EVENTS:
        if not again:  # they change no state, so the event of the first time is all there is to report
            _media_event(obs, app, event, moment.at)
        return "applied"
    session = ensure_session(obs, app.id, short, room, moment)
    if event.event == "room_finished":
        session_ended(obs, session, moment)
    elif event.participant is not None and event.participant.sid and not _is_ours(event):
        _participant_event(obs, session, event, moment)
    if session.state == "ended":  # it came late, and may have changed what was reported of the session
        obs.settle(session)
    return "applied"


def _place(obs: Observer, event: LiveKitEvent) -> tuple[App, RoomSnapshot, str] | None:
    """The app, room and short name that the event is about.

    LiveKit sometimes leaves the room's name and SID out of track events (livekit/livekit#3725); the participant's SID
    leads to the session then.
    """
    fact = event.room.fact() if event.room else RoomSnapshot("", event.room_name)
    if not fact.name or (event.event in ROOM_EVENTS and not fact.sid):
        session = _session_meant(obs, event, fact)
        if session is None:
            return None
        fact = RoomSnapshot(session.room_sid or "", session.livekit_room)
    parts = room_names.split(fact.name)
    if parts is None:
        return None
    app = obs.app(parts[0])
    return None if app is None else (app, fact, parts[1])


def _session_meant(obs: Observer, event: LiveKitEvent, fact: RoomSnapshot) -> Session | None:
    if fact.sid:
        return obs.state.session_by_sid(fact.sid)
    obs.state.flush()
    if event.participant is not None and event.participant.sid:
        found = participants_store.session_of_participant(obs.tx, event.participant.sid)
        if found is not None:
            return found
    return store.open_session_of_room(obs.tx, fact.name) if fact.name else None


def _is_ours(event: LiveKitEvent) -> bool:
    return event.participant is not None and event.participant.identity.startswith(OWN_IDENTITY)


def _participant_event(obs: Observer, session: Session, event: LiveKitEvent, moment: Moment) -> None:
    assert event.participant is not None  # noqa: S101 - the caller looked
    fact = event.participant.fact()
    # A leaving names the time of joining, so a joining that was lost is made good here.
    active = event.event == "participant_joined" or (event.event == "participant_left" and fact.joined_at is not None)
    moment = machine.within(moment, session.ended_at, session.ended_at_source)
    if session.state == "ended":
        session = session_alive(obs, session, moment.at)
    session, person = participant_present(obs, session, fact, moment, active=active)
    if event.track is not None:
        moment = machine.within(moment, person.left_at, person.left_at_source)
        person = participant_alive(obs, person, moment.at)
    if event.event in {"participant_left", "participant_connection_aborted"}:
        session = participant_gone(obs, session, person, moment, fact.reason)
    elif event.event == "track_published" and event.track is not None:
        track = track_present(obs, session, person, event.track.fact(), moment)
        participant_published(obs, session, person, track)
    elif event.event == "track_unpublished" and event.track is not None:
        # Of a track that we did not know, this says when it ended, and of its beginning only that it was not later.
        track = track_present(obs, session, person, event.track.fact(), Moment(moment.at, "session_end"))
        track_gone(obs, session, person, track, moment)
        participant_published(obs, session, person, track)
    session_alive(obs, session, moment.at)


def _media_event(obs: Observer, app: App, event: LiveKitEvent, at: int) -> None:
    name = event.room_name
    obs.state.flush()
    session = _session_of_media(obs.tx, event)
    detail = subject_of(event)
    if event.event == "egress_ended" and session is not None and event.egress_info is not None:
        _meter_egress(obs, session, event.egress_info, at)
    subject = str(detail.get("egressId") or detail.get("ingressId") or name)
    type_ = event.event.replace("_", ".", 1)
    obs.store(NewEvent(app.id, type_, "webhook", at, name, subject, session.id if session else None, detail))


def _session_of_media(tx: Transaction, event: LiveKitEvent) -> Session | None:
    """The session that an egress or ingress belongs to: the one whose room it names, or that lived when it began.

    An upload ends long after its room, when the next session of the same name may live already.
    """
    name = event.room_name
    named = store.session_by_sid(tx, event.media_room_sid) if event.media_room_sid else None
    if named is not None and named.livekit_room == name:
        return named
    began = event.media_began
    found = None if began is None else store.session_of_room_at(tx, name, began + _LATEST_START_MS)
    return found or store.newest_session_of_room(tx, name)


_LATEST_START_MS: Final = 1_000
"""LiveKit's clock and that of its egress service are two; an egress that seems to begin a little before its room is of
that room."""


def _meter_egress(obs: Observer, session: Session, info: WireEgress, at: int) -> None:
    """Of an egress that never began there is nothing to meter."""
    if info.began is not None:
        egress = usage.Egress(
            clean(info.egress_id),
            session.id,
            session.app_id,
            info.began,
            max(info.began, info.ended or at),
            recording=info.recorded,
        )
        usage.save_egress(obs.tx, egress)
        if session.state == "ended":
            obs.settle(session)
