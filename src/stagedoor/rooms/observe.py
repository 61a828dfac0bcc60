"""Verbs that take what was seen of one room into the stored state: the same for webhooks and for lists.

Each changes what differs, stores the event that says so, and does nothing when nothing differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent, Origin
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.ids import new_id
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, RoomSnapshot, TrackSnapshot
from stagedoor.rooms import final_usage, machine, session_jobs, session_usage, store
from stagedoor.rooms.nouns import INFERRED, SESSION, Moment, Participant, Room, Session, Track
from stagedoor.storage import Transaction


@dataclass(frozen=True, slots=True)
class Observer:
    """Where observations go: one transaction, one origin, one time; and where what follows from them is asked for.

    Attributes:
        now: Milliseconds since the epoch, by our clock.
        told: Counts the events that were stored, by type.
    """

    tx: Transaction
    feed: Feed
    queue: Queue
    origin: Origin
    now: int
    told: Counter[str]

    def say(self, session: Session, type_: str, at: int, subject: str, detail: Mapping[str, Any] | None = None) -> None:
        """Store an event of the session."""
        self.told[type_] += 1
        self.feed.append(
            self.tx,
            NewEvent(
                session.app_id,
                type_,
                self.origin,
                at,
                session.livekit_room,
                subject,
                session.id,
                detail or {},
            ),
        )


def session_seen(obs: Observer, app_id: str, short: str, room: RoomSnapshot, moment: Moment) -> Session:
    """The session of a room SID; a SID that we did not know gets one, and its room is adopted."""
    known = store.session_by_sid(obs.tx, room.sid)
    if known is not None:
        better = machine.started_known(known, room.created_at)
        if better is not known:
            store.update_session(obs.tx, better)
        return better
    _adopt(obs, app_id, short, room)
    # What is first heard of may be anything that happened in it: its time is that of the beginning only for want of it.
    at, source = (room.created_at, "livekit") if room.created_at is not None else (moment.at, "reconcile")
    announced = store.created_session_of_room(obs.tx, room.name)
    if announced is not None:
        session = machine.begun(announced, room.sid, Moment(at, source), obs.now)
        store.update_session(obs.tx, session)
        session_jobs.begun(obs.tx, obs.queue, session)
        obs.say(session, "session.started", at, room.name, {"roomSid": room.sid})
        return session
    session = Session(
        new_id(SESSION),
        app_id,
        short,
        room.name,
        room.sid,
        "active",
        at,
        source,
        last_seen_at=at,
        changed_at=obs.now,
    )
    store.insert_session(obs.tx, session)
    session_jobs.begun(obs.tx, obs.queue, session)
    obs.say(session, "session.started", session.started_at, room.name, {"roomSid": room.sid})
    return session


def _adopt(obs: Observer, app_id: str, short: str, fact: RoomSnapshot) -> None:
    room = store.room_by_livekit_name(obs.tx, fact.name, with_deleted=True)
    if room is None:
        room = Room(new_id("room"), app_id, short, fact.name, fact.metadata, obs.now, obs.now)
    elif room.deleted_at is not None or (fact.metadata and fact.metadata != room.metadata):
        room = replace(room, metadata=fact.metadata or room.metadata, deleted_at=None, updated_at=obs.now)
    else:
        return
    store.save_room(obs.tx, room)


def session_gone(obs: Observer, session: Session, moment: Moment) -> Session:
    """The room is over: everybody in it has left and every track is gone."""
    after = machine.ended(session, moment, obs.now)
    if after is session:
        return session
    was_open = session.state != "ended"
    end = machine.with_owner(after.ended_at or moment.at, after.ended_at_source)
    people = store.participants_of(obs.tx, [session.id])
    for person in people:
        if person.open:
            participant_gone(obs, after, person, end, None, settle=False)
    after = _settled(obs, after)
    final_usage.ask(obs.tx, obs.queue, after)
    if was_open:
        session_jobs.over(obs.tx, obs.queue, after)
        told = final_usage.record_reported_usage(obs.tx, after)
        if told is not None:
            at = after.ended_at or moment.at
            obs.say(after, "session.ended", at, after.livekit_room, session_usage.said(after, told))
    return after


def session_back(obs: Observer, session: Session) -> Session:
    """LiveKit lists a room that we had closed."""
    after = machine.session_reopened(session, obs.now)
    store.update_session(obs.tx, after)
    session_jobs.begun(obs.tx, obs.queue, after)
    obs.say(after, "session.reopened", obs.now, after.livekit_room)
    return after


def participant_present(
    obs: Observer, session: Session, fact: ParticipantSnapshot, moment: Moment, *, active: bool
) -> tuple[Session, Participant]:
    """A participant was seen; `active` when LiveKit said so, not merely named it."""
    known = store.participant_by_sid(obs.tx, session.id, fact.sid)
    before = known or machine.participant_seen(session, fact, obs.now)
    after = machine.joined(before, fact, moment, obs.now) if active else before
    if after != known:
        store.save_participant(obs.tx, after, new=known is None)
    if after.state == "active" and before.state == "joining":
        session = _counted(obs, session, after, +1, max(after.joined_at or 0, moment.at))
    elif after != known and session.state == "ended":
        session = _settled(obs, session)
    if after.joined_at is not None and before.joined_at is None:  # also of one that has left: it is told late
        _say_joined(obs, session, after)
    if known is None and not after.open:
        _say_gone(obs, session, after)
    return session, after


def participant_gone(
    obs: Observer,
    session: Session,
    person: Participant,
    moment: Moment,
    reason: str | None,
    *,
    settle: bool = True,
) -> Session:
    """A participant left, or its attempt to join failed; its tracks go with it."""
    was_there = person
    if person.joined_at is None and moment.source in INFERRED:
        published = [track.published_at for track in store.tracks_of_participant(obs.tx, session.id, person.sid)]
        if published:
            was_there = machine.must_have_joined(person, min(published), obs.now)
    after = machine.left(was_there, moment, reason, obs.now)
    if after == person:
        return session
    store.save_participant(obs.tx, after, new=False)
    if was_there is not person:
        _say_joined(obs, session, after)
    over = machine.with_owner(after.left_at or moment.at, after.left_at_source)
    for track in store.tracks_of_participant(obs.tx, session.id, person.sid):
        track_gone(obs, session, after, track, over)
    if person.open:
        if person.state == "active" and session.state == "active":
            session = _counted(obs, session, after, -1, after.left_at or moment.at)
        _say_gone(obs, session, after)
    if settle and session.state == "ended":
        session = _settled(obs, session)
    return session


def participant_published(obs: Observer, session: Session, person: Participant, track: Track) -> None:
    """Of somebody who seemed to have come and gone without arriving, a track is heard of late."""
    if person.state != "aborted" or person.left_at_source not in INFERRED:
        return
    after = machine.must_have_joined(person, track.published_at, obs.now)
    store.save_participant(obs.tx, after, new=False)
    _say_joined(obs, session, after)
    if session.state == "ended":
        _settled(obs, session)


def _say_joined(obs: Observer, session: Session, person: Participant) -> None:
    at = person.joined_at or obs.now
    detail = {"sid": person.sid, "name": person.name, "kind": person.kind}
    obs.say(session, "participant.joined", at, person.identity, detail)


def _say_gone(obs: Observer, session: Session, person: Participant) -> None:
    obs.say(
        session,
        "participant.left" if person.state == "left" else "participant.aborted",
        person.left_at or obs.now,
        person.identity,
        {"sid": person.sid, "reason": person.reason, "durationMs": person.duration_ms},
    )


def participant_back(obs: Observer, session: Session, person: Participant) -> tuple[Session, Participant]:
    """LiveKit lists a participant that we had closed."""
    after = machine.participant_reopened(person, obs.now)
    store.save_participant(obs.tx, after, new=False)
    if after.state == "active":
        session = _counted(obs, session, after, +1, session.last_seen_at)
    obs.say(session, "participant.reopened", obs.now, after.identity, {"sid": after.sid})
    return session, after


def track_present(obs: Observer, session: Session, person: Participant, fact: TrackSnapshot, moment: Moment) -> Track:
    """A participant has a track."""
    known = store.track_by_sid(obs.tx, person, fact.sid)
    if known is not None:
        after = machine.published_known(known, fact, moment)
        if after != known:
            store.save_track(obs.tx, after, new=False)
        return after
    track = machine.published(person, fact, moment, obs.now)
    store.save_track(obs.tx, track, new=True)
    detail = _track_detail(track, person)
    obs.say(session, "track.published", track.published_at, track.sid, detail)
    if not track.open:
        obs.say(session, "track.unpublished", track.unpublished_at or moment.at, track.sid, detail)
    return track


def session_alive(obs: Observer, session: Session, at: int) -> Session:
    """LiveKit spoke of something in a session as of `at`: it ended no earlier, should its end be inferred."""
    if session.ended_at is not None:
        if session.ended_at_source != "reconcile" or at <= session.ended_at:
            return session
        return _settled(obs, replace(session, ended_at=at))
    if at <= session.last_seen_at:
        return session
    after = replace(session, last_seen_at=at)
    store.update_session(obs.tx, after)
    return after


def participant_alive(obs: Observer, person: Participant, at: int) -> Participant:
    """LiveKit spoke of something that a participant did at `at`: it left no earlier, should its leaving be inferred."""
    if person.left_at is None or person.left_at_source != "reconcile" or at <= person.left_at:
        return person
    after = replace(person, left_at=at)
    store.save_participant(obs.tx, after, new=False)
    return after


def track_gone(obs: Observer, session: Session, person: Participant, track: Track, moment: Moment) -> None:
    """A track is over."""
    after = machine.unpublished(track, moment, obs.now)
    if after == track:
        return
    store.save_track(obs.tx, after, new=False)
    if track.open:
        obs.say(
            session,
            "track.unpublished",
            after.unpublished_at or moment.at,
            track.sid,
            _track_detail(track, person),
        )


def track_back(obs: Observer, session: Session, person: Participant, track: Track) -> None:
    """LiveKit lists a track that we had closed."""
    store.save_track(obs.tx, machine.track_reopened(track, obs.now), new=False)
    obs.say(session, "track.reopened", obs.now, track.sid, _track_detail(track, person))


def _counted(obs: Observer, session: Session, person: Participant, step: int, at: int) -> Session:
    """One more or one less is there, unless the identity is there by another SID; and the room was alive at `at`."""
    if not person.takes_part or (person.identity and store.other_active(obs.tx, person)):
        step = 0
    people = max(0, session.active_participants + step)
    after = replace(
        session,
        active_participants=people,
        peak_participants=max(people, session.peak_participants),
        last_seen_at=max(at, session.last_seen_at),
    )
    store.update_session(obs.tx, after)
    return after


def _settled(obs: Observer, session: Session) -> Session:
    """What an ended session says about its participants, once more, because one of them changed."""
    people = store.participants_of(obs.tx, [session.id])
    end = session.ended_at or obs.now
    after = replace(
        session,
        disposition=machine.disposition(session, people),
        peak_participants=machine.peak(people, end),
    )
    store.update_session(obs.tx, after)
    return after


def _track_detail(track: Track, person: Participant) -> dict[str, Any]:
    return {
        "kind": track.kind,
        "source": track.source,
        "mimeType": track.mime_type,
        "identity": person.identity,
        "participantSid": person.sid,
    }
