"""What must be true of the stored state, whatever happened to the webhooks."""

from __future__ import annotations

from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.rooms import machine
from stagedoor.rooms.nouns import INFERRED
from stagedoor.tenancy.room_names import split
from tests.support.rooms_harness import Snapshot
from tests.support.rooms_model import LiveKitModel, ModelParticipant

APP = "live"


def ours(name: str) -> bool:
    """Whether the room is the app's of these tests."""
    parts = split(name)
    return parts is not None and parts[0] == APP


def is_livekits_state(found: Snapshot, state: ServerState) -> None:
    """What is open is what LiveKit lists, no more and no less."""
    listed = [(room, people) for room, people in state.rooms if ours(room.name)]
    assert {sid for sid, session in found.sessions.items() if session.state == "active"} == {
        room.sid for room, _ in listed
    }
    assert {
        (found.session_of(one).room_sid, one.sid, one.state) for one in found.participants.values() if one.open
    } == {
        (room.sid, person.sid, "active" if person.state == "active" else "joining")
        for room, people in listed
        for person in people
    }
    assert {(track.participant_sid, track.sid) for track in found.tracks.values() if track.open} == {
        (person.sid, track.sid) for _, people in listed for person in people for track in person.tracks
    }
    for room, people in listed:
        active = sum(person.state == "active" for person in people)
        assert found.sessions[room.sid].active_participants == active
        assert found.sessions[room.sid].peak_participants >= active


def is_whole(found: Snapshot) -> None:
    """What is closed has its times, and they fit together."""
    for session in found.sessions.values():
        ended = session.state == "ended"
        assert (session.ended_at is not None, session.disposition is not None) == (ended, ended)
        assert (session.ended_at_source is not None) == ended
        assert session.duration_ms is None or session.duration_ms == (session.ended_at or 0) - session.started_at
        people = found.people_of(session)
        if ended:
            assert session.active_participants == 0
            assert not [person for person in people if person.open]
            assert session.disposition == machine.disposition(session, people)
            assert session.peak_participants == machine.peak(people, session.ended_at or 0)
    for person in found.participants.values():
        assert (person.left_at is None) == (person.left_at_source is None) == person.open
        assert (person.joined_at is not None) == (person.state in {"active", "left"})
        failed = person.state == "aborted" and person.left_at_source in INFERRED
        assert not (failed and found.tracks_of(person)), "who published something had come in"
        if person.joined_at is not None and person.left_at is not None:
            assert person.left_at >= person.joined_at
    for track in found.tracks.values():
        person = found.participants[track.participant_sid]
        assert (track.unpublished_at is None) == (track.unpublished_at_source is None)
        if track.unpublished_at is not None:
            assert track.unpublished_at >= track.published_at
        assert person.open or not track.open


def has_one_story(found: Snapshot) -> None:
    """Each thing begins once, and ends once for each time that it was open."""
    for session in found.sessions.values():
        assert found.count("session.started", session.id) == 1
        again = found.count("session.reopened", session.id)
        ended = again > 0 or session.state == "ended"
        assert found.count("session.ended", session.id) == ended, "a bill is made of it, so it is said once"
    for person in found.participants.values():
        assert found.count("participant.joined", person.sid) == (person.joined_at is not None)
        again = found.count("participant.reopened", person.sid)
        closed = found.count("participant.left", person.sid) + found.count("participant.aborted", person.sid)
        assert closed == again + (not person.open)
    for track in found.tracks.values():
        assert found.count("track.published", track.sid) == 1
        again = found.count("track.reopened", track.sid)
        assert found.count("track.unpublished", track.sid) == again + (not track.open)


def nothing_waits(found: Snapshot) -> None:
    """Every event of the inbox was acted on, and each once."""
    assert not [event for event in found.inbox if event.state in {"pending", "failed"}]
    assert all(event.attempts == 1 for event in found.inbox)


def is_exact(found: Snapshot, model: LiveKitModel) -> None:
    """What ended has exactly the times, reasons and numbers of the history."""
    for room in model.rooms:
        if not ours(room.name):
            continue
        session = found.sessions[room.sid]
        assert (session.livekit_room, session.started_at, session.started_at_source) == (
            room.name,
            room.created_at,
            "livekit",
        )
        if room.finished_at is not None:
            assert (session.ended_at, session.ended_at_source) == (room.finished_at, "received")
            assert session.duration_ms == room.finished_at - room.created_at
            assert session.peak_participants == most_at_once(room.participants)
            assert session.disposition == expected_disposition(room.participants)
        for person in room.participants:
            if person.active_at is None and person.left_at is None:
                continue  # LiveKit says nothing about who is still connecting
            kept = found.participants[person.sid]
            assert found.session_of(kept) == session
            assert (kept.identity, kept.reason) == (person.identity, person.reason)
            if person.active_at is None:
                assert (kept.state, kept.joined_at, kept.left_at) == ("aborted", None, person.left_at)
                continue
            assert (kept.name, kept.kind, kept.joined_at) == (person.name, person.kind, person.joined_at)
            assert kept.left_at == person.left_at
            if person.left_at is not None:
                assert (kept.state, kept.duration_ms) == ("left", person.left_at - person.joined_at)
            for track in person.tracks:
                stored = found.tracks[track.sid]
                assert (stored.kind, stored.source, stored.mime_type) == (
                    track.kind,
                    track.source.lower(),
                    track.mime_type,
                )
                assert (stored.published_at, stored.unpublished_at) == (track.published_at, track.unpublished_at)


def most_at_once(people: list[ModelParticipant]) -> int:
    """By looking at every moment at which a participant was there; who came and went at once was there too."""
    there = [
        (person.joined_at, max(person.left_at or 0, person.joined_at + 1))
        for person in people
        if person.active_at is not None
    ]
    return max((sum(start <= moment < end for start, end in there) for moment, _ in there), default=0)


def expected_disposition(people: list[ModelParticipant]) -> str:
    """What a person would say of a room that LiveKit finished."""
    came = [person for person in people if person.active_at is not None]
    if came:
        if any(person.reason == "ROOM_DELETED" for person in people):
            return "terminated"
        failures = {"CONNECTION_TIMEOUT", "MEDIA_FAILURE"}
        return "failed" if all(person.reason in failures for person in people) else "completed"
    return "abandoned" if people else "expired"
