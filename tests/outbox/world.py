"""An organisation with apps, events and endpoints, and the workers that deliver, without the rest of the product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.queue import Queue, get
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.sealing import Sealer
from stagedoor.outbox import body_store, delivery_store, endpoint_store, endpoints
from stagedoor.outbox.delivery import KIND, Deliverer, cancelled, retried
from stagedoor.outbox.fanout import Fanout
from stagedoor.outbox.nouns import Delivery, Endpoint
from stagedoor.outbox.sender import Sender
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import App, AppSettings, Organisation


@dataclass(slots=True)
class World:
    """What tests do to it."""

    database: Database
    feed: Feed
    queue: Queue
    sealer: Sealer
    organisation: Organisation
    app: App
    most_pending: int = 100_000

    def fanout(self) -> Fanout:
        """What gives events out."""
        return Fanout(self.database, self.feed, self.queue, self.most_pending)

    async def endpoint(
        self, url: str, *, types: Sequence[str] = (), ordered: bool = False, whole: bool = False, of: App | None = None
    ) -> tuple[Endpoint, str]:
        """An endpoint of an app, or of the whole organisation, and its secret."""
        app = of or self.app
        return await self.database.write(
            lambda tx: endpoints.create(
                tx,
                self.sealer,
                app.organisation_id,
                None if whole else app,
                url=url,
                types=types,
                description="",
                enabled=True,
                ordered=ordered,
            )
        )

    async def happen(
        self, type_: str = "room.created", *, session: str | None = None, app: App | None = None, extra: Any = 1
    ) -> None:
        """Store an event."""
        app_id = (app or self.app).id
        event = NewEvent(app_id, type_, "api", now_ms(), "live-demo", "demo", session, {"extra": extra})
        await self.database.write(lambda tx: self.feed.append(tx, event))

    async def deliveries(self, endpoint: Endpoint) -> list[Delivery]:
        """Oldest first."""
        found = await self.database.read(
            lambda tx: delivery_store.list_deliveries(tx, endpoint.id, state=None, before=None, limit=1000)
        )
        return found[::-1]

    async def until(self, endpoint: Endpoint, *states: str) -> list[Delivery]:
        """The endpoint's deliveries once they have these states, in the order in which they were given out."""
        async with asyncio.timeout(20):
            while True:
                found = await self.deliveries(endpoint)
                if [delivery.state for delivery in found] == list(states):
                    return found
                await asyncio.sleep(0.01)

    async def body(self, delivery: Delivery) -> bytes:
        """What is sent."""
        found = await self.database.read(lambda tx: body_store.body_of(tx, delivery.event_seq))
        assert found is not None
        return found

    async def look(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as it is now."""
        found = await self.database.read(lambda tx: endpoint_store.endpoint_by_id(tx, endpoint.id))
        assert found is not None
        return found

    @asynccontextmanager
    async def working(
        self, *, delays: Sequence[float] = (0.02, 0.02), disable_after: float = 3600, **sender: Any
    ) -> AsyncGenerator[Sender]:
        """The workers of one node."""
        options: dict[str, Any] = {"allow_private": True, "timeout_seconds": 5.0} | sender
        made = Sender(**options)
        deliverer = Deliverer(self.database, self.feed, self.sealer, made, delays, disable_after)
        kinds = [deliverer.kind(5), endpoints.recover_kind(self.database, self.queue, self.most_pending)]
        tasks = [
            asyncio.create_task(Worker(self.database, self.queue, kinds).run()),
            asyncio.create_task(self.fanout().run()),
        ]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await made.close()

    @asynccontextmanager
    async def recovering(self) -> AsyncGenerator[None]:
        """A worker that only recovers."""
        task = asyncio.create_task(
            Worker(
                self.database, self.queue, [endpoints.recover_kind(self.database, self.queue, self.most_pending)]
            ).run()
        )
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def finished(self, job_id: str) -> None:
        """Return when the job is done."""
        async with asyncio.timeout(20):
            while (await self.database.read(lambda tx: get(tx, job_id))).state != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def make_world(database: Database) -> World:
    """An organisation with one app."""

    def make(tx: Transaction) -> tuple[Organisation, App]:
        organisation = organisations.create(tx, "Acme", None)
        return organisation, apps.create(tx, organisation, "live", None, AppSettings())

    organisation, app = await database.write(make)
    return World(
        database, Feed(database), Queue({KIND: cancelled}, {KIND: retried}), Sealer("a secret"), organisation, app
    )
