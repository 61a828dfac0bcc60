"""The state machines of sessions, participants and tracks: pure, and the same for webhooks and lists.

        session      (none) -> active -> ended
                     created -> active -> ended, created -> ended
        participant  (none) -> joining -> active -> left
                               joining -> aborted
        track        (none) -> published -> unpublished

An end is final for its SID, because LiveKit gives a new SID to each life; so a late or repeated event about a closed
SID fills in what was missing and opens nothing. Only a list of LiveKit's, taken well after we closed something, opens
it again (`reopened`). A time that LiveKit's clock gave replaces one that we had to infer, never the other way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from stagedoor.kernel.values import replace
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, TrackSnapshot
from stagedoor.rooms.nouns import INFERRED, Moment, Participant, Session, TimeSource, Track

_TRUST: Final[dict[TimeSource | None, int]] = {
    None: 0,
    "session_end": 1,
    "reconcile": 2,
    "received": 3,
    "livekit": 4,
}

_FAILURES: Final = frozenset(
    {
        "JOIN_FAILURE",
        "STATE_MISMATCH",
        "MEDIA_FAILURE",
        "CONNECTION_TIMEOUT",
        "AGENT_ERROR",
        "SIP_TRUNK_FAILURE",
    }
)


def event_moment(received_at: int, created_at_seconds: int | None) -> Moment:
    """When something without a millisecond time of LiveKit's happened.

    LiveKit sends whole seconds, cut off, so the truth lies within that second. Our receive time is finer while it does
    too; when the event was delayed, or the clocks differ, it does not, and the nearest end of the second is the better
    answer.
    """
    if created_at_seconds is None:
        return Moment(received_at, "received")
    earliest = created_at_seconds * 1000
    at = min(max(received_at, earliest), earliest + 999)
    return Moment(at, "received" if at == received_at else "livekit")


def within(moment: Moment, end: int | None, source: TimeSource | None) -> Moment:
    """An event in LiveKit's whole seconds is no later than the reported end of what it belongs to."""
    if end is None or source in INFERRED or moment.at <= end:
        return moment
    return Moment(end, moment.source)


def _better(old: TimeSource | None, new: TimeSource) -> bool:
    return _TRUST[new] > _TRUST[old]


# Sessions


def begun(session: Session, room_sid: str, moment: Moment, now: int) -> Session:
    """The room of a session that was announced has come to life."""
    return replace(
        session,
        room_sid=room_sid,
        state="active",
        started_at=moment.at,
        started_at_source=moment.source,
        last_seen_at=moment.at,
        changed_at=now,
    )


def started_known(session: Session, created_at: int | None) -> Session:
    """Take LiveKit's creation time over one that we inferred."""
    if created_at is None or not _better(session.started_at_source, "livekit"):
        return session
    return replace(session, started_at=created_at, started_at_source="livekit")


def ended(session: Session, moment: Moment, now: int) -> Session:
    """End a session; for one that has ended, a better time replaces an inferred one."""
    if session.state == "ended" and not _better(session.ended_at_source, moment.source):
        return session
    return replace(
        session,
        state="ended",
        ended_at=max(moment.at, session.started_at),
        ended_at_source=moment.source,
        active_participants=0,
        changed_at=now if session.state != "ended" else session.changed_at,
    )


def terminated(session: Session) -> Session:
    """A caller ended the room; LiveKit names no reason where the room was empty."""
    return replace(session, disposition="terminated")


def timed_out(session: Session) -> Session:
    """A session lasted for as long as it may, so its room is ended."""
    return replace(session, disposition="timed_out")


def session_reopened(session: Session, now: int) -> Session:
    """LiveKit lists a session that we had closed."""
    return replace(session, state="active", ended_at=None, ended_at_source=None, disposition=None, changed_at=now)


def disposition(session: Session, participants: Iterable[Participant]) -> str:
    """How a session ended, from the reasons that LiveKit gave.

    `completed`: people were there and left. `terminated`: the room was deleted under them. `failed`: every participant
    was lost to a failure. `rejected`, `no_answer`: by the called side, with no other participant than the caller;
    LiveKit's SIP service joins for the called side before it has picked up. `abandoned`: a participant tried to join
    and none arrived. `expired`: no participant ever came. `server_lost`: LiveKit went away, or no longer knew the room,
    with a participant in it whose leaving it never reported. `timed_out`: it lasted for as long as it
    was announced that it may.
    """
    if session.disposition in {"terminated", "timed_out"}:
        return session.disposition
    people = [person for person in participants if person.takes_part]
    reasons = {person.reason for person in people}
    if any(person.joined_at is not None for person in people):
        if "ROOM_DELETED" in reasons:
            return "terminated"
        unexplained = any(person.left_at_source == "reconcile" for person in people)
        if "SERVER_SHUTDOWN" in reasons or (unexplained and session.ended_at_source == "reconcile"):
            return "server_lost"
        return "failed" if reasons <= _FAILURES else _unanswered(people) or "completed"
    unanswered = _unanswered(people)
    if unanswered is not None:
        return unanswered
    if people:
        return "abandoned"
    return "server_lost" if session.ended_at_source == "reconcile" else "expired"


def _unanswered(people: Iterable[Participant]) -> str | None:
    """Whether the called side rejected the call, or did not answer it; `None` when two or more others were there.

    An agent counts: who talked with one had a call, whatever became of a transfer.
    """
    people = list(people)
    others = {
        person.identity
        for person in people
        if person.joined_at is not None and person.role == "person" and person.reason not in _UNANSWERED
    }
    reasons = {person.reason for person in people}
    found = [disposition for reason, disposition in _UNANSWERED.items() if reason in reasons]
    return found[0] if found and len(others) <= 1 else None


_UNANSWERED: Final = {"USER_REJECTED": "rejected", "USER_UNAVAILABLE": "no_answer"}


def peak(participants: Iterable[Participant], ended_at: int) -> int:
    """The most participants that were active at the same time, by identity: LiveKit lets an identity be there once, and
    a participant who reconnects has joined again a few milliseconds before the old connection is reported ended."""
    steps: list[tuple[int, int]] = []
    for stays in presence(participants, ended_at).values():
        for joined_at, left_at in stays:
            steps.append((joined_at, 1))
            steps.append((max(left_at, joined_at + 1), -1))
    highest = current = 0
    for _, step in sorted(steps):  # at the same millisecond a leaving (-1) counts before a joining
        current += step
        highest = max(highest, current)
    return highest


def presence(participants: Iterable[Participant], ended_at: int) -> dict[str, list[tuple[int, int]]]:
    """When each identity was active, from and until, without overlaps; who is still there counts until `ended_at`.

    A recorder is left out.
    """
    stays: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for person in participants:
        if person.joined_at is not None and person.takes_part:
            left_at = person.left_at if person.left_at is not None else max(ended_at, person.joined_at)
            stays[person.identity or person.sid].append((person.joined_at, left_at))
    return {identity: _merged(found) for identity, found in stays.items()}


def _merged(stays: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(stays):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


# Participants


def participant_seen(session: Session, fact: ParticipantSnapshot, now: int) -> Participant:
    """A participant that we did not know; in an ended session it has left already."""
    person = Participant(session.id, fact.sid, fact.identity, fact.name, fact.kind, "joining", now)
    if session.ended_at is not None:
        return _closed(person, Moment(session.ended_at, "session_end"), None, now)
    return person


def joined(person: Participant, fact: ParticipantSnapshot, moment: Moment, now: int) -> Participant:
    """A participant became active. One that has left stays so, and its joining is filled in."""
    at, source = (fact.joined_at, "livekit") if fact.joined_at is not None else (moment.at, moment.source)
    after = replace(person, identity=fact.identity or person.identity, name=fact.name or person.name, kind=fact.kind)
    if _better(person.joined_at_source, source):
        after = replace(after, joined_at=at, joined_at_source=source)
    if person.state == "joining":
        return replace(after, state="active", changed_at=now)
    if after.state == "aborted":
        after = replace(after, state="left")
    if after.left_at is not None and after.joined_at is not None and after.left_at < after.joined_at:
        after = replace(after, left_at=after.joined_at)
    return after


def must_have_joined(person: Participant, published_at: int, now: int) -> Participant:
    """Its joining was not heard of, but something that it published: so it was there, since then at the latest."""
    fact = ParticipantSnapshot(person.sid, person.identity, person.name, person.kind)
    return joined(person, fact, Moment(published_at, "reconcile"), now)


def left(person: Participant, moment: Moment, reason: str | None, now: int) -> Participant:
    """A participant left. What an event says replaces what we had inferred."""
    if not person.open and not _better(person.left_at_source, moment.source):
        return person if reason is None or person.reason else replace(person, reason=reason)
    return _closed(person, moment, reason, now)


def participant_reopened(person: Participant, now: int) -> Participant:
    """LiveKit lists a participant that we had closed."""
    return replace(
        person,
        state="joining" if person.joined_at is None else "active",
        left_at=None,
        left_at_source=None,
        reason=None,
        changed_at=now,
    )


def _closed(person: Participant, moment: Moment, reason: str | None, now: int) -> Participant:
    return replace(
        person,
        state="aborted" if person.joined_at is None else "left",
        left_at=max(moment.at, person.joined_at or 0),
        left_at_source=moment.source,
        reason=reason or person.reason,
        changed_at=now if person.open else person.changed_at,
    )


# Tracks


def with_owner(at: int, source: TimeSource | None) -> Moment:
    """When something was over at the latest because what it belonged to was."""
    return Moment(at, "reconcile" if source == "reconcile" else "session_end")


def published(person: Participant, fact: TrackSnapshot, moment: Moment, now: int) -> Track:
    """A track that we did not know; that of a participant who has left is over."""
    track = Track(
        person.session_id,
        person.sid,
        fact.sid,
        fact.kind,
        fact.source,
        fact.mime_type,
        moment.at,
        moment.source,
        now,
    )
    return track if person.open else unpublished(track, with_owner(person.left_at or 0, person.left_at_source), now)


def published_known(track: Track, fact: TrackSnapshot, moment: Moment) -> Track:
    """Fill in what an event that came late, or a second one, says of a track that we know."""
    after = replace(
        track,
        kind=fact.kind,
        source=fact.source if fact.source != "unknown" else track.source,
        mime_type=fact.mime_type or track.mime_type,
    )
    if moment.source != "reconcile" and _better(track.published_at_source, moment.source):
        end = None if track.unpublished_at is None else max(track.unpublished_at, moment.at)
        after = replace(after, published_at=moment.at, published_at_source=moment.source, unpublished_at=end)
    return after


def unpublished(track: Track, moment: Moment, now: int) -> Track:
    """A track is over; what an event says replaces what was inferred, and of two inferences the earlier one counts: no
    track outlives whose it is."""
    before = track.unpublished_at_source
    comparable = before == moment.source or (before in INFERRED and moment.source in INFERRED)
    earlier = comparable and moment.at < (track.unpublished_at or 0)
    if not track.open and not earlier and not _better(track.unpublished_at_source, moment.source):
        return track
    return replace(
        track,
        unpublished_at=max(moment.at, track.published_at),
        unpublished_at_source=moment.source,
        changed_at=now if track.open else track.changed_at,
    )


def track_reopened(track: Track, now: int) -> Track:
    """LiveKit lists a track that we had closed."""
    return replace(track, unpublished_at=None, unpublished_at_source=None, changed_at=now)
