"""Sessions that a backend announces ahead of their rooms: what the room will be like, and when it is over.

The mapping is direct: the room's short name is the session's id, unless another was asked for. LiveKit makes the room
when the first joins, with what the token says; every token that is minted for the room while the plan holds carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Invalid, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import plans_store, rooms, session_jobs, store
from stagedoor.rooms.nouns import SESSION, Plan, RoomLimits, Session
from stagedoor.rooms.settings import TranscriptPolicy
from stagedoor.storage import Database, GenerationCache, Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.nouns import App

DEFAULT_WAIT: Final = 86_400
"""Seconds that a session waits for its room when the announcement has no `wait`."""


MOST_WAITING: Final = 10_000
"""Sessions of an app that wait for their rooms."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backend asks for. Durations are seconds; `None` is no limit."""

    kind: Literal["voice", "video"]
    room_name: str | None
    metadata: str
    agents: tuple[tuple[str, str], ...]
    limits: RoomLimits
    max_duration: int | None
    transcript: TranscriptPolicy | None = None
    wait: int = DEFAULT_WAIT


def plan_of(session_id: str, wanted: Wanted) -> Plan:
    """The plan of a session that is announced now."""
    now = now_ms()
    return Plan(
        session_id=session_id,
        kind=wanted.kind,
        metadata=wanted.metadata,
        agents=wanted.agents,
        max_duration=wanted.max_duration,
        empty_timeout=wanted.limits.empty_timeout,
        departure_timeout=wanted.limits.departure_timeout,
        max_participants=wanted.limits.max_participants,
        created_at=now,
        wait_until=now + wanted.wait * 1000,
        cleaned_at=None,
        transcript=wanted.transcript,
    )


def announce(tx: Transaction, app: App, wanted: Wanted) -> tuple[Session, Plan]:
    """Store a session whose room does not exist yet.

    Raises:
        Invalid: The room cannot have this name.
        Conflict: A session of this room lives, or waits for it.
        TooMany: As many sessions of the app wait for their rooms as may.
    """
    if store.count_created_sessions(tx, app.id) >= MOST_WAITING:
        raise TooMany(
            f"{MOST_WAITING} sessions of the app wait for their rooms; announce fewer, or shorten limits.wait.",
            code="too_many_sessions",
            extra={"limit": MOST_WAITING},
        )
    session_id = new_id(SESSION)
    if room_names.reference_is_like(app.slug, wanted.room_name, f"{SESSION}_"):
        raise Invalid(f"A name that begins with {SESSION}_ is a session's id.", code="bad_room_name")
    livekit_room = rooms.known_or_new(tx, app, wanted.room_name or session_id)
    store.lock_rooms(tx, [livekit_room])
    for other in (store.open_session_of_room(tx, livekit_room), store.created_session_of_room(tx, livekit_room)):
        if other is not None:
            raise Conflict(
                f"The room has a session already: {other.id}.", code="session_exists", extra={"session": other.id}
            )
    now = now_ms()
    session = Session(
        session_id,
        app.id,
        room_names.short_name(livekit_room),
        livekit_room,
        None,
        "created",
        started_at=now,
        started_at_source="session_end",
        last_seen_at=now,
        changed_at=now,
    )
    plan = plan_of(session_id, wanted)
    store.insert_session(tx, session)
    plans_store.insert_plan(tx, plan)
    return session, plan


class Plans:
    """The plans of rooms, for the path that mints tokens.

    With SQLite this process is the only writer, so the names of rooms that ever had a plan are kept in memory, and a
    room without one costs nothing. With PostgreSQL another node may announce one, so each question goes to the
    database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rooms = GenerationCache[tuple[()], set[str]](database)

    def note(self, tx: Transaction, livekit_room: str) -> None:
        """A room has a plan once the transaction is committed."""

        def add() -> None:
            rooms = self._rooms.peek(())
            if rooms is None:
                self._rooms.forget()  # or those that are being read would be kept without it
            else:
                rooms.add(livekit_room)

        tx.after_commit(add)

    def announce(self, tx: Transaction, queue: Queue, app: App, wanted: Wanted) -> tuple[Session, Plan]:
        """Announce a session, and have it end if its room does not start in time.

        Raises:
            Invalid: The room cannot have this name.
            Conflict: A session of this room lives, or waits for it.
        """
        session, plan = announce(tx, app, wanted)
        session_jobs.on_announced(tx, queue, plan)
        self.note(tx, session.livekit_room)
        return session, plan

    async def of(self, livekit_room: str) -> Plan | None:
        """The plan that the room is to be made by, or lives by.

        Raises:
            Conflict: The session that it is named after is over.
        """
        if self._database.sole_writer:
            rooms = await self._rooms.get((), plans_store.planned_rooms)
            if rooms is not None and livekit_room not in rooms:
                return None
        found = await self._database.read(lambda tx: plans_store.newest_plan_of_room(tx, livekit_room))
        if found is None:
            return None
        session, plan = found
        if session.state == "ended" and session.room != session.id:
            return None  # a name that a backend chose is free again
        if session.state == "ended":
            raise Conflict(
                "The session that this room was for is over.", code="session_ended", extra={"session": session.id}
            )
        return plan


def cleaned(tx: Transaction, session_id: str) -> None:
    """Its agents are called off and its bans are lifted."""
    plan = plans_store.plan_of(tx, session_id)
    if plan is not None:
        plans_store.update_plan(tx, replace(plan, cleaned_at=now_ms()))
