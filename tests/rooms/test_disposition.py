"""How a session ended, by LiveKit's reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagedoor.rooms.machine import disposition, terminated
from stagedoor.rooms.nouns import Participant, Session
from tests.support.rooms_people import came, session, tried

BY_EVENT = session(ended="received")
BY_LIST = session(ended="reconcile")

TABLE: list[tuple[str, Session, list[Participant]]] = [
    ("completed", BY_EVENT, [came("CLIENT_INITIATED")]),
    ("completed", BY_EVENT, [came("CLIENT_INITIATED"), came("CONNECTION_TIMEOUT")]),
    ("completed", BY_EVENT, [came("CLIENT_INITIATED"), tried("JOIN_FAILURE")]),
    ("completed", BY_EVENT, [came("PARTICIPANT_REMOVED")]),
    ("completed", BY_EVENT, [came("DUPLICATE_IDENTITY"), came("CLIENT_INITIATED")]),
    ("completed", BY_EVENT, [came(None, source="session_end")]),
    ("terminated", BY_EVENT, [came("ROOM_DELETED"), came("CLIENT_INITIATED")]),
    ("terminated", BY_LIST, [came("ROOM_DELETED")]),
    ("failed", BY_EVENT, [came("CONNECTION_TIMEOUT"), came("MEDIA_FAILURE")]),
    ("failed", BY_EVENT, [came("STATE_MISMATCH"), tried("JOIN_FAILURE")]),
    ("server_lost", BY_EVENT, [came("SERVER_SHUTDOWN"), came("CLIENT_INITIATED")]),
    ("server_lost", BY_LIST, [came(None, source="reconcile")]),
    ("server_lost", BY_LIST, [came("CLIENT_INITIATED"), came(None, source="reconcile")]),
    ("server_lost", BY_LIST, []),
    # All were seen to leave; only the end of the room was missed.
    ("completed", BY_LIST, [came("CLIENT_INITIATED")]),
    # A leaving was missed, but LiveKit reported itself that the room was over.
    ("completed", BY_EVENT, [came(None, source="reconcile")]),
    ("rejected", BY_EVENT, [tried("USER_REJECTED"), tried("JOIN_FAILURE")]),
    ("no_answer", BY_EVENT, [tried("USER_UNAVAILABLE")]),
    # The SIP service is in the room while it rings.
    ("rejected", BY_EVENT, [came("CLIENT_INITIATED"), came("USER_REJECTED")]),
    ("no_answer", BY_EVENT, [came("CLIENT_INITIATED"), came("USER_UNAVAILABLE")]),
    ("no_answer", BY_EVENT, [came("USER_UNAVAILABLE")]),
    ("rejected", BY_EVENT, [came("USER_UNAVAILABLE"), came("USER_REJECTED")]),
    ("completed", BY_EVENT, [came("CLIENT_INITIATED"), came(None, identity="bob"), came("USER_REJECTED")]),
    # Who talked with an agent had a call, though the transfer was refused.
    (
        "completed",
        BY_EVENT,
        [came("CLIENT_INITIATED"), replace(came(None, identity="bot"), kind="agent"), came("USER_REJECTED")],
    ),
    ("rejected", BY_EVENT, [replace(came(None, identity="bot"), kind="agent"), came("USER_REJECTED")]),
    ("abandoned", BY_EVENT, [tried("JOIN_FAILURE")]),
    ("abandoned", BY_EVENT, [tried(None)]),
    ("abandoned", BY_LIST, [tried(None)]),
    ("expired", BY_EVENT, []),
]


@pytest.mark.parametrize(("expected", "over", "people"), TABLE)
def test_the_table(expected: str, over: Session, people: list[Participant]) -> None:
    assert disposition(over, people) == expected


@pytest.mark.parametrize(("over", "people"), [(over, people) for _, over, people in TABLE])
def test_a_room_that_a_caller_ended_is_terminated_with_or_without_participants(
    over: Session, people: list[Participant]
) -> None:
    assert disposition(terminated(over), people) == "terminated"
