"""The state on a real database, with the real inbox, applier and reconciler, and no network."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from stagedoor.app.firstrun import make_first
from stagedoor.app.reactions import reactions
from stagedoor.events.feed import Feed
from stagedoor.events.nouns import Event
from stagedoor.events.store import events, events_after
from stagedoor.inbox.applier import Applier
from stagedoor.inbox.redact import redact
from stagedoor.inbox.store import InboxEvent, inbox, intake
from stagedoor.jobs.operator_store import list_jobs
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.store import jobs
from stagedoor.kernel.errors import Conflict, StorageUnavailable
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.rooms import bans_store, final_usage, participants_store, store
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.rooms.nouns import Participant, Session, Track
from stagedoor.rooms.reconcile import Reconciler
from stagedoor.storage import Database, Transaction, migrate, open_database
from stagedoor.storage.records import record
from stagedoor.usage import store as usage
from tests.support.rooms_histories import Arrival, Compare
from tests.support.rooms_model import Sent

_NOWHERE = Endpoint("http://127.0.0.1:9", "ws://127.0.0.1:9", "APInobody", "a-secret-that-opens-nothing-anywhere")


@dataclass(frozen=True)
class Snapshot:
    """All that is stored, by LiveKit's SIDs."""

    sessions: dict[str, Session]
    participants: dict[str, Participant]
    tracks: dict[str, Track]
    story: tuple[Event, ...]
    inbox: tuple[InboxEvent, ...]

    def session_of(self, item: Participant | Track) -> Session:
        return next(session for session in self.sessions.values() if session.id == item.session_id)

    def people_of(self, session: Session) -> list[Participant]:
        return [person for person in self.participants.values() if person.session_id == session.id]

    def tracks_of(self, person: Participant) -> list[Track]:
        return [track for track in self.tracks.values() if track.participant_sid == person.sid]

    def count(self, type_: str, subject: str) -> int:
        """How many events of the type are about the session or the SID."""
        return sum(
            1
            for event in self.story
            if event.type == type_ and subject in {event.session_id, event.subject, event.detail.get("sid")}
        )

    def state(self) -> tuple[dict[str, Session], dict[str, Participant], dict[str, Track], int]:
        """What another delivery of something known must leave alone."""
        return self.sessions, self.participants, self.tracks, len(self.story)


class World:
    """Everything between the stored webhook and the stored state."""

    def __init__(self, database: Database, gateway: LiveKitGateway, grace_ms: int) -> None:
        self.database = database
        self.queue = Queue()
        self.feed = Feed(database, reactions=reactions(self.queue))
        self.ban_enforcer = BanEnforcer(database, gateway, self.feed)
        self.applier = Applier(database, self.feed, self.queue, self.ban_enforcer)
        self.reconciler = Reconciler(database, self.feed, self.queue, grace_ms=grace_ms)
        self._intake = intake(database)

    async def receive(self, sent: Sent, *, received_at: int | None = None) -> bool:
        """Store a webhook; false when it was there already."""
        at = sent.at if received_at is None else received_at
        row = (
            sent.id,
            sent.event,
            sent.room_name,
            at,
            "APItest",
            "livekit",
            redact(sent.body),
            None,
            "pending",
            0,
            None,
        )
        return await self._intake.insert(row)

    async def apply(self, sent: Sequence[Sent]) -> None:
        """Store webhooks, received the moment they were sent, and apply them."""
        await asyncio.gather(*(self.receive(one) for one in sent))
        await self.applier.drain()

    async def compare(self, state: ServerState, lost_at: int | None = None) -> Counter[str]:
        return await self.reconciler.run(state, lost_at)

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Let everything arrive, and apply what came so far before each comparison."""
        for is_comparison, group in itertools.groupby(arrivals, lambda arrival: isinstance(arrival, Compare)):
            found = list(group)
            if is_comparison:
                for arrival in found:
                    assert isinstance(arrival, Compare)
                    await self.compare(arrival.state)
            else:
                await self.apply([arrival for arrival in found if isinstance(arrival, Sent)])
            await self.settle()  # so that what comes later has to ask for it again

    async def settle(self) -> None:
        """Do the jobs that were asked for about ended sessions."""

        def work(tx: Transaction) -> None:
            asked = list_jobs(tx, state="queued", kind=final_usage.SETTLE, before=None, limit=100_000)
            for job in asked:
                final_usage.settle(tx, self.feed, job.payload["session"])
            tx.execute(jobs.delete())

        await self.database.write(work)

    async def replay(self, event_id: str) -> None:
        """Apply an event again, unless those before it in its room have to be first."""
        with suppress(Conflict, StorageUnavailable):
            await self.applier.replay(event_id)

    async def replay_all(self) -> None:
        """Apply every event that found its room once more."""
        for event in (await self.snapshot()).inbox:
            if event.state == "applied":
                await self.applier.replay(event.id)

    async def snapshot(self) -> Snapshot:
        return await self.database.read(_snapshot)


def _snapshot(tx: Transaction) -> Snapshot:
    def rows(table: Table) -> list[dict[str, Any]]:
        return [record(row) for row in tx.execute(select(table))]

    app_id = tx.execute(select(store.sessions.c.app_id)).scalar()
    story: list[Event] = []
    if app_id is not None:
        story = events_after(tx, app_id, 0, livekit_room=None, limit=1_000_000)
    return Snapshot(
        {row["room_sid"]: Session(**row) for row in rows(store.sessions)},
        {row["sid"]: Participant(**row) for row in rows(participants_store.participants)},
        {row["sid"]: Track(**row) for row in rows(participants_store.tracks)},
        tuple(story),
        tuple(InboxEvent(**record(row)) for row in tx.execute(select(inbox).order_by(inbox.c.seq))),
    )


@asynccontextmanager
async def world_on(url: str, *, grace_ms: int = 0) -> AsyncGenerator[World]:
    """The world on a database that has its tables and its first app."""
    database = await open_database(url)
    gateway = LiveKitGateway(_NOWHERE)
    try:
        yield World(database, gateway, grace_ms)
    finally:
        await gateway.close()
        await database.close()


async def prepare(url: str) -> None:
    """Make the tables, and the app `live`."""
    await migrate(url)
    database = await open_database(url)
    try:
        await database.write(make_first)
    finally:
        await database.close()


async def forget(world: World) -> None:
    """Empty the tables that a history fills."""

    def work(tx: Transaction) -> None:
        for table in (
            usage.reported,
            usage.session_hours,
            usage.app_hours,
            jobs,
            inbox,
            events,
            participants_store.tracks,
            participants_store.participants,
            store.sessions,
            store.rooms,
            bans_store.bans,
        ):
            tx.execute(table.delete())

    await world.database.write(work)


class SqliteWorlds:
    """Worlds that each begin with an empty state: the file was migrated once and is copied for each.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        await prepare(f"sqlite:///{self._template}")

    @asynccontextmanager
    async def __call__(self, *, grace_ms: int = 0) -> AsyncGenerator[World]:
        path = self._folder / f"{next(self._numbers)}.db"
        shutil.copyfile(self._template, path)
        try:
            async with world_on(f"sqlite:///{path}", grace_ms=grace_ms) as world:
                yield world
        finally:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


async def snapshot_of(path: Path) -> Snapshot:
    """What a product that has stopped left in its database."""
    database = await open_database(f"sqlite:///{path}")
    try:
        return await database.read(_snapshot)
    finally:
        await database.close()
