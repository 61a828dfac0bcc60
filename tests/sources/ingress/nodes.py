"""Nodes of an installation without LiveKit, for the life of ingresses: their sessions, and what callers do to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from stagedoor.access.issue import TokenIssuer
from stagedoor.app.firstrun import make_first
from stagedoor.events.feed import Feed
from stagedoor.events.store import events
from stagedoor.kernel.errors import NotFound
from stagedoor.kernel.sealing import Sealer
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.plans import Plans
from stagedoor.sources.ingress import registry, store
from stagedoor.sources.ingress.joining import IngressTokens
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.recorder import Recorder
from stagedoor.sources.ingress.sessions import IngressSessions
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import State
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.store import app_by_slug, update_app
from tests.support.product import eventually

ENDPOINT = Endpoint("http://127.0.0.1:9", "ws://127.0.0.1:9", "APIkey", "a-secret-of-thirty-two-characters")


class StandIn(LiveKitGateway):
    """LiveKit's answers about participants, as a test wants them."""

    def __init__(self) -> None:
        super().__init__(ENDPOINT)
        self.people: dict[tuple[str, str], ParticipantSnapshot] = {}

    async def participant(self, room: str, identity: str) -> ParticipantSnapshot:
        found = self.people.get((room, identity))
        if found is None:
            raise NotFound("There is no such participant.", code="not_live")
        return found


@dataclass
class Node:
    """One process of the installation."""

    database: Database
    feed: Feed
    livekit: StandIn
    bans: Bans
    plans: Plans
    sessions: IngressSessions

    async def app(self, **settings: Any) -> App:
        """The app, with these settings of ingresses."""

        def change(tx: Transaction) -> App:
            app = app_by_slug(tx, "live")
            assert app is not None
            changed = replace(app, settings=AppSettings(IngressSettings(**settings)))
            update_app(tx, changed)
            return changed

        return await self.database.write(change)

    async def create(self, room: str = "stage", **fields: Any) -> tuple[Ingress, str]:
        """An ingress for RTMP, and its key."""
        wanted = registry.Wanted("rtmp", room, **fields)

        def make(tx: Transaction) -> tuple[Ingress, str | None]:
            app = app_by_slug(tx, "live")
            assert app is not None
            return registry.create(tx, app, Sealer("secret"), wanted)

        ingress, key = await self.database.write(make)
        assert key is not None
        return ingress, key

    async def begin(self, key: str, source: str = "rtmp") -> LiveIngress:
        """An encoder comes with the key."""
        return await self.sessions.begin(await self.sessions.authenticate([key], "rtmp"), source)

    async def state(self, ingress: Ingress) -> State:
        """What the database shows."""
        states = await self.database.read(lambda tx: store.states_of(tx, [ingress.id]))
        return states.get(ingress.id, State())

    async def becomes(self, ingress: Ingress, status: str) -> State:
        """What the database shows once it is of this status."""

        async def so() -> State | None:
            state = await self.state(ingress)
            return state if state.status == status else None

        return await eventually(so)

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Types and details of the ingresses' events."""
        query = select(events.c.type, events.c.detail).where(events.c.type.like("ingress.%")).order_by(events.c.seq)
        rows = await self.database.read(lambda tx: tx.execute(query).all())
        return [(row.type, json.loads(row.detail)) for row in rows]

    async def event_types(self) -> list[str]:
        return [type_ for type_, _ in await self.events()]


@dataclass
class Owners:
    """Owners of publications, that end them as they are asked to."""

    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def own(self, live: LiveIngress) -> LiveIngress:
        async def until_end() -> None:
            live.end(await live.ending)

        self.tasks.append(asyncio.create_task(until_end()))
        return live


@asynccontextmanager
async def node(database: Database, name: str = "one", *, runs: bool = True) -> AsyncGenerator[Node]:
    """A node on the database."""
    await database.write(make_first)
    feed = Feed(database)
    livekit = StandIn()
    bans = Bans(database)
    plans = Plans(database)
    tokens = IngressTokens(livekit, TokenIssuer(database, bans, plans, ENDPOINT))
    recorder = Recorder(database, feed, name, measured_seconds=0.2)
    sessions = IngressSessions(database, feed, livekit, tokens, name, recorder)
    running = asyncio.create_task(sessions.run()) if runs else None
    try:
        yield Node(database, feed, livekit, bans, plans, sessions)
    finally:
        await sessions.close()
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        await livekit.close()
