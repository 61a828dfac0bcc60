"""Verbs that take what was seen of one room into the stored state: the same for webhooks and for lists.

Each changes what differs, stores the event that says so, and does nothing when nothing differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent, Origin
from stagedoor.jobs.queue import Queue
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.values import replace
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, RoomSnapshot, TrackSnapshot
from stagedoor.rooms import final_usage, machine, session_usage
from stagedoor.rooms.nouns import INFERRED, SESSION, Moment, Participant, Room, Session, Track
from stagedoor.rooms.state import RoomState
from stagedoor.storage import Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_slug


class Observer:
    """Where observations go in one transaction; what they change is written by `flush`.

    Args:
        tx: The transaction.
        feed: Where domain events go, and with them what other folders do about them.
        queue: Where the jobs go that record what a session used.
        origin: How Stagedoor came to know.
        reported: Counts the events that were stored, by type.
        apps: Apps by slug, for as long as the transaction lasts.

    Attributes:
        now: Milliseconds since the epoch, by our clock.
    """

    def __init__(
        self,
        tx: Transaction,
        feed: Feed,
        queue: Queue,
        origin: Origin,
        *,
        reported: Counter[str] | None = None,
        apps: dict[str, App | None] | None = None,
    ) -> None:
        self.tx = tx
        self.state = RoomState(tx)
        self.now = now_ms()
        self._feed = feed
        self._queue = queue
        self._origin: Origin = origin
        self._reported = Counter[str]() if reported is None else reported
        self._apps = {} if apps is None else apps
        self._events: list[NewEvent] = []
        self._unreported: list[NewEvent] = []
        self._to_settle: dict[str, None] = {}

    def app(self, slug: str) -> App | None:
        """The app with this slug."""
        if slug not in self._apps:
            self._apps[slug] = app_by_slug(self.tx, slug)
        return self._apps[slug]

    def emit(
        self,
        session: Session,
        type_: str,
        at: int,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        *,
        about: object = None,
    ) -> None:
        """Store an event of the session; `about` is passed to what reacts to it."""
        self._reported[type_] += 1
        self.store(
            NewEvent(
                session.app_id, type_, self._origin, at, session.livekit_room, subject, session.id, detail or {}, about
            )
        )

    def store(self, event: NewEvent) -> None:
        """Store an event."""
        self._events.append(replace(event, trace=tracing.traceparent()) if tracing.enabled() else event)

    def ended_again(self, session: Session) -> None:
        """A session that was opened again has ended: nothing is reported, but what reacts to an end does."""
        at = session.ended_at or self.now
        name = session.livekit_room
        self._unreported.append(
            NewEvent(session.app_id, "session.ended", self._origin, at, name, name, session.id, {}, session)
        )

    def settle(self, session: Session) -> None:
        """Have what an ended session used recorded, soon."""
        self._to_settle[session.id] = None

    def flush(self) -> None:
        """Write the state, then the events, then what follows from them."""
        self.state.flush()
        events, self._events = self._events, []
        self._feed.append_all(self.tx, events)
        unreported, self._unreported = self._unreported, []
        for event in unreported:
            self._feed.react(self.tx, event)
        to_settle, self._to_settle = self._to_settle, {}
        for session_id in to_settle:
            final_usage.schedule(self.tx, self._queue, session_id)


def ensure_session(obs: Observer, app_id: str, short: str, room: RoomSnapshot, moment: Moment) -> Session:
    """The session of a room SID; an unknown SID gets one, and its room is adopted."""
    known = obs.state.session_by_sid(room.sid)
    if known is not None:
        better = machine.started_known(known, room.created_at)
        if better is not known:
            obs.state.update_session(better)
        return better
    _adopt(obs, app_id, short, room)
    # What is first heard of may be anything that happened in it: its time is that of the beginning only for want of it.
    at, source = (room.created_at, "livekit") if room.created_at is not None else (moment.at, "reconcile")
    announced = obs.state.announced_session(room.name)
    if announced is not None:
        session = machine.begun(announced, room.sid, Moment(at, source), obs.now)
        obs.state.update_session(session)
    else:
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
        obs.state.insert_session(session)
    obs.emit(session, "session.started", at, room.name, {"roomSid": room.sid}, about=session)
    return session


def _adopt(obs: Observer, app_id: str, short: str, fact: RoomSnapshot) -> None:
    room = obs.state.room(fact.name)
    if room is None:
        room = Room(new_id("room"), app_id, short, fact.name, fact.metadata, obs.now, obs.now)
    elif room.deleted_at is not None or (fact.metadata and fact.metadata != room.metadata):
        room = replace(room, metadata=fact.metadata or room.metadata, deleted_at=None, updated_at=obs.now)
    else:
        return
    obs.state.save_room(room)


def session_ended(obs: Observer, session: Session, moment: Moment) -> Session:
    """The session has ended: each participant has left and each track has ended."""
    after = machine.ended(session, moment, obs.now)
    if after is session:
        return session
    was_open = session.state != "ended"
    end = machine.with_owner(after.ended_at or moment.at, after.ended_at_source)
    for person in obs.state.participants_of(session.id):
        if person.open:
            participant_gone(obs, after, person, end, None, settle=False)
    after = _with_outcome(obs, after)
    obs.settle(after)
    if was_open:
        people, tracks = obs.state.participants_of(session.id), obs.state.tracks_of(session.id)
        amounts = final_usage.record_reported_usage(obs.tx, after, people, tracks)
        if amounts is None:
            obs.ended_again(after)
        else:
            at = after.ended_at or moment.at
            detail = session_usage.session_ended_detail(after, amounts)
            obs.emit(after, "session.ended", at, after.livekit_room, detail, about=after)
    return after


def session_reopened(obs: Observer, session: Session) -> Session:
    """LiveKit lists a room whose session was closed."""
    after = machine.session_reopened(session, obs.now)
    obs.state.update_session(after)
    obs.emit(after, "session.reopened", obs.now, after.livekit_room, about=after)
    return after


def participant_present(
    obs: Observer, session: Session, fact: ParticipantSnapshot, moment: Moment, *, active: bool
) -> tuple[Session, Participant]:
    """A participant was seen; `active` when LiveKit reported it so, and did not merely name it."""
    known = obs.state.participant(session.id, fact.sid)
    before = known or machine.participant_seen(session, fact, obs.now)
    after = machine.joined(before, fact, moment, obs.now) if active else before
    if after != known:
        obs.state.save_participant(after)
    if after.state == "active" and before.state == "joining":
        session = _counted(obs, session, after, +1, max(after.joined_at or 0, moment.at))
    elif after != known and session.state == "ended":
        session = _with_outcome(obs, session)
    if after.joined_at is not None and before.joined_at is None:  # also of one that has left: it is reported late
        _emit_joined(obs, session, after, fact)
    if known is None and not after.open:
        _emit_gone(obs, session, after)
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
        published = [track.published_at for track in obs.state.tracks_of_participant(session.id, person.sid)]
        if published:
            was_there = machine.must_have_joined(person, min(published), obs.now)
    after = machine.left(was_there, moment, reason, obs.now)
    if after == person:
        return session
    obs.state.save_participant(after)
    if was_there is not person:
        _emit_joined(obs, session, after)
    over = machine.with_owner(after.left_at or moment.at, after.left_at_source)
    for track in obs.state.tracks_of_participant(session.id, person.sid):
        track_gone(obs, session, after, track, over)
    if person.open:
        if person.state == "active" and session.state == "active":
            session = _counted(obs, session, after, -1, after.left_at or moment.at)
        _emit_gone(obs, session, after)
    if settle and session.state == "ended":
        session = _with_outcome(obs, session)
    return session


def participant_published(obs: Observer, session: Session, person: Participant, track: Track) -> None:
    """A track is reported late, of a participant who seemed never to have arrived."""
    if person.state != "aborted" or person.left_at_source not in INFERRED:
        return
    after = machine.must_have_joined(person, track.published_at, obs.now)
    obs.state.save_participant(after)
    _emit_joined(obs, session, after)
    if session.state == "ended":
        _with_outcome(obs, session)


def _emit_joined(obs: Observer, session: Session, person: Participant, fact: ParticipantSnapshot | None = None) -> None:
    at = person.joined_at or obs.now
    detail = {"sid": person.sid, "name": person.name, "kind": person.kind}
    obs.emit(
        session, "participant.joined", at, person.identity, detail, about=None if fact is None else (session, fact)
    )


def _emit_gone(obs: Observer, session: Session, person: Participant) -> None:
    obs.emit(
        session,
        "participant.left" if person.state == "left" else "participant.aborted",
        person.left_at or obs.now,
        person.identity,
        {"sid": person.sid, "reason": person.reason, "durationMs": person.duration_ms},
    )


def participant_back(obs: Observer, session: Session, person: Participant) -> tuple[Session, Participant]:
    """LiveKit lists a participant that we had closed."""
    after = machine.participant_reopened(person, obs.now)
    obs.state.save_participant(after)
    if after.state == "active":
        session = _counted(obs, session, after, +1, session.last_seen_at)
    obs.emit(session, "participant.reopened", obs.now, after.identity, {"sid": after.sid})
    return session, after


def track_present(obs: Observer, session: Session, person: Participant, fact: TrackSnapshot, moment: Moment) -> Track:
    """A participant has a track."""
    known = obs.state.track(person, fact.sid)
    if known is not None:
        after = machine.published_known(known, fact, moment)
        if after != known:
            obs.state.save_track(after)
        return after
    track = machine.published(person, fact, moment, obs.now)
    obs.state.save_track(track)
    detail = _track_detail(track, person)
    obs.emit(session, "track.published", track.published_at, track.sid, detail)
    if not track.open:
        obs.emit(session, "track.unpublished", track.unpublished_at or moment.at, track.sid, detail)
    return track


def session_alive(obs: Observer, session: Session, at: int) -> Session:
    """LiveKit spoke of something in a session as of `at`: it ended no earlier, should its end be inferred."""
    if session.ended_at is not None:
        if session.ended_at_source != "reconcile" or at <= session.ended_at:
            return session
        return _with_outcome(obs, replace(session, ended_at=at))
    if at <= session.last_seen_at:
        return session
    after = replace(session, last_seen_at=at)
    obs.state.update_session(after)
    return after


def participant_alive(obs: Observer, person: Participant, at: int) -> Participant:
    """LiveKit spoke of something that a participant did at `at`: it left no earlier, should its leaving be inferred."""
    if person.left_at is None or person.left_at_source != "reconcile" or at <= person.left_at:
        return person
    after = replace(person, left_at=at)
    obs.state.save_participant(after)
    return after


def track_gone(obs: Observer, session: Session, person: Participant, track: Track, moment: Moment) -> None:
    """A track is over."""
    after = machine.unpublished(track, moment, obs.now)
    if after == track:
        return
    obs.state.save_track(after)
    if track.open:
        obs.emit(
            session,
            "track.unpublished",
            after.unpublished_at or moment.at,
            track.sid,
            _track_detail(track, person),
        )


def track_back(obs: Observer, session: Session, person: Participant, track: Track) -> None:
    """LiveKit lists a track that we had closed."""
    obs.state.save_track(machine.track_reopened(track, obs.now))
    obs.emit(session, "track.reopened", obs.now, track.sid, _track_detail(track, person))


def _counted(obs: Observer, session: Session, person: Participant, step: int, at: int) -> Session:
    """One more or one less is there, unless the identity is there by another SID; and the room was alive at `at`."""
    if not person.takes_part or (person.identity and obs.state.is_elsewhere(person)):
        step = 0
    people = max(0, session.active_participants + step)
    after = replace(
        session,
        active_participants=people,
        peak_participants=max(people, session.peak_participants),
        last_seen_at=max(at, session.last_seen_at),
    )
    obs.state.update_session(after)
    return after


def _with_outcome(obs: Observer, session: Session) -> Session:
    """What an ended session says about its participants, once more, because one of them changed."""
    people = obs.state.participants_of(session.id)
    end = session.ended_at or obs.now
    after = replace(
        session,
        disposition=machine.disposition(session, people),
        peak_participants=machine.peak(people, end),
    )
    obs.state.update_session(after)
    return after


def _track_detail(track: Track, person: Participant) -> dict[str, Any]:
    return {
        "kind": track.kind,
        "source": track.source,
        "mimeType": track.mime_type,
        "identity": person.identity,
        "participantSid": person.sid,
    }
