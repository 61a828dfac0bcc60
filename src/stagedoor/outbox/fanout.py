"""The worker that turns events into deliveries: each event once for each endpoint that wants it.

How far it came with an app's events is stored with the deliveries, so it goes on where it stopped. An app's events are
numbered in the order in which they were committed; those of two apps are not, so each app has a cursor of its own.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from stagedoor.events import store as events
from stagedoor.events.feed import Feed
from stagedoor.events.nouns import Event
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.outbox import store
from stagedoor.outbox.delivery import job_of
from stagedoor.outbox.messages import message, message_id
from stagedoor.outbox.nouns import Delivery, Endpoint
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_id

_log = structlog.get_logger()
_BATCH: Final = 200


class Fanout:
    """Gives events out to endpoints."""

    def __init__(self, database: Database, feed: Feed, queue: Queue) -> None:
        self._database = database
        self._queue = queue
        self._awake = asyncio.Event()
        feed.listen(lambda _: self._awake.set())

    async def run(self) -> None:
        """Give out until cancelled."""
        while True:
            self._awake.clear()
            await self.drain()
            try:
                async with asyncio.timeout(self._database.poll_seconds):
                    await self._awake.wait()
            except TimeoutError:
                pass  # another node's events do not wake this one

    async def drain(self) -> None:
        """Give out what there is now."""
        try:
            while apps := await self._database.read(store.apps_to_serve):
                moved = [await self._database.write(lambda tx, one=one: self._serve(tx, one)) for one in apps]
                if not any(moved):
                    return  # another node is at it
        except StorageUnavailable as error:
            _log.warning("webhook_fanout_unavailable", error=str(error))
        except Exception:  # noqa: BLE001 - the cursor has not moved, and a later pass may well work
            _log.exception("webhook_fanout_failed")

    def _serve(self, tx: Transaction, app_id: str) -> bool:
        """One batch of one app's events; false when another node has the app."""
        app = app_by_id(tx, app_id)
        if app is None or not store.lock_app(tx, app_id):
            return False
        endpoints = store.endpoints_of_app(tx, app_id)
        first = min((endpoint.from_seq for endpoint in endpoints), default=0)
        cursor = store.cursor_of(tx, app_id)
        after = max(first, cursor or 0)
        batch = events.events_after(tx, app_id, after, livekit_room=None, limit=_BATCH)
        deliveries = [
            (endpoint, delivery_for(endpoint, app, event), event.trace)
            for event in batch
            for endpoint in endpoints
            if event.seq > endpoint.from_seq and endpoint.wants(event.type)
        ]
        store.insert_deliveries(tx, [delivery for _, delivery, _ in deliveries])
        for endpoint, delivery, trace in deliveries:
            self._queue.put(tx, job_of(endpoint, delivery, trace))
        store.set_cursor(tx, app_id, batch[-1].seq if batch else after)
        return True


def delivery_for(endpoint: Endpoint, app: App, event: Event) -> Delivery:
    """The delivery of an event to an endpoint, not stored yet."""
    return Delivery(
        id=new_id("dlv"),
        endpoint_id=endpoint.id,
        app_id=app.id,
        event_seq=event.seq,
        message_id=message_id(event.seq),
        type=event.type,
        session_id=event.session_id,
        state="pending",
        attempts=0,
        body=message(app, event),
        created_at=now_ms(),
        delivered_at=None,
        last_outcome=None,
        last_status=None,
    )
