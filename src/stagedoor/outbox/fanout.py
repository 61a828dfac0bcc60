"""The worker that turns events into deliveries: each event once for each endpoint that wants it.

How far it came with an app's events is stored with the deliveries, so it goes on where it stopped. An app's events are
numbered in the order in which they were committed; those of two apps are not, so each app has a cursor of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.events import store as events
from stagedoor.events.feed import Feed
from stagedoor.events.nouns import Event
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.outbox import body_store, delivery_store, endpoint_store, fanout_store
from stagedoor.outbox.backlog import Room
from stagedoor.outbox.delivery import job_of
from stagedoor.outbox.messages import message, message_id
from stagedoor.outbox.nouns import Delivery, Endpoint
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_id

_log = structlog.get_logger()
_EVENTS_AT_ONCE: Final = 200
_DELIVERIES_AT_ONCE: Final = 1_000
"""What one transaction stores, so that others need not wait for long."""
_LOOK_FOR_ROOM_SECONDS: Final = 1.0
"""How often it is looked whether endpoints that are behind can go on."""


class Fanout:
    """Gives events out to endpoints.

    Args:
        database: Where they are.
        feed: Says when there are new ones.
        queue: Where deliveries are asked for.
        most_pending: How many deliveries of an organisation may wait. The events of an endpoint for which there is no
            room wait where they are stored; others are given theirs meanwhile.
    """

    def __init__(self, database: Database, feed: Feed, queue: Queue, most_pending: int) -> None:
        self._database = database
        self._queue = queue
        self._most_pending = most_pending
        self._awake = asyncio.Event()
        feed.listen(lambda _: self._awake.set())

    async def run(self) -> None:
        """Give out until cancelled."""
        while True:
            self._awake.clear()
            await self.drain()
            try:
                async with asyncio.timeout(await self._pause_seconds()):
                    await self._awake.wait()
            except TimeoutError:
                pass  # another node's events do not wake this one, and neither does room for more deliveries

    async def drain(self) -> None:
        """Give out what there is now."""
        try:
            while apps := await self._database.read(fanout_store.apps_to_serve):
                moved = [await self._database.write(lambda tx, one=one: self._serve(tx, one)) for one in apps]
                if not any(moved):
                    return  # another node is at it
        except StorageUnavailable as error:
            _log.warning("webhook_fanout_unavailable", error=str(error))
        except Exception:  # noqa: BLE001 - the cursor has not moved, and a later pass may well work
            _log.exception("webhook_fanout_failed")

    async def _pause_seconds(self) -> float:
        with contextlib.suppress(StorageUnavailable):
            if await self._database.read(fanout_store.count_behind):
                return min(_LOOK_FOR_ROOM_SECONDS, self._database.poll_seconds)
        return self._database.poll_seconds

    def _serve(self, tx: Transaction, app_id: str) -> bool:
        """One batch of one app's events; false when there was nothing to do or another node has the app."""
        app = app_by_id(tx, app_id)
        if app is None or not fanout_store.lock_app(tx, app_id):
            return False
        room = Room(delivery_store.waiting_of_organisation(tx, app.organisation_id), self._most_pending)
        cursor = fanout_store.cursor_of(tx, app_id)
        behind = fanout_store.behind_of_app(tx, app_id)
        groups: defaultdict[int, list[Endpoint]] = defaultdict(list)
        for endpoint in endpoint_store.endpoints_of_app(tx, app_id):
            if endpoint.id not in behind:
                groups[cursor or 0].append(endpoint)
            elif room.has_again(endpoint.id):
                groups[behind[endpoint.id]].append(endpoint)
        moved = False
        for after, group in sorted(groups.items()):
            offer = _offer(tx, app, after, group, room)
            self._give_out(tx, app, offer)
            cursor, moved = max(cursor or 0, offer.until), moved or offer.until > after
            for endpoint in group:
                if endpoint.id in offer.stopped:
                    fanout_store.set_behind(tx, app_id, endpoint.id, offer.stopped[endpoint.id], now_ms())
                elif endpoint.id in behind and offer.is_all:
                    fanout_store.set_caught_up(tx, app_id, endpoint.id)
                    moved = True
                elif endpoint.id in behind:
                    fanout_store.set_behind(tx, app_id, endpoint.id, offer.until, now_ms())
        if moved and cursor is not None:
            fanout_store.set_cursor(tx, app_id, cursor)
        return moved

    def _give_out(self, tx: Transaction, app: App, offer: _Offer) -> None:
        given = [(endpoint, delivery_for(endpoint, event), event) for endpoint, event in offer.taken]
        wanted = {event.seq: event for _, event in offer.taken}
        body_store.insert_bodies(tx, app.id, {seq: message(app, event) for seq, event in wanted.items()})
        delivery_store.insert_deliveries(tx, [delivery for _, delivery, _ in given])
        for endpoint, delivery, event in given:
            self._queue.put(tx, job_of(endpoint, delivery, event.trace))


@dataclass(slots=True)
class _Offer:
    """What a batch of an app's events came to for some endpoints.

    Attributes:
        until: The last event of the batch.
        is_all: The app has no more events.
        taken: Which endpoint gets which event.
        stopped: The endpoints that had no room any more, and the last event that each was offered.
    """

    until: int
    is_all: bool
    taken: list[tuple[Endpoint, Event]]
    stopped: dict[str, int]


def _offer(tx: Transaction, app: App, after: int, group: list[Endpoint], room: Room) -> _Offer:
    after = max(after, min(endpoint.from_seq for endpoint in group))
    size = max(1, min(_EVENTS_AT_ONCE, _DELIVERIES_AT_ONCE // len(group)))
    batch = events.events_after(tx, app.id, after, livekit_room=None, limit=size)
    offer = _Offer(after, len(batch) < size, [], {})
    for event in batch:
        for endpoint in group:
            if endpoint.id in offer.stopped or event.seq <= endpoint.from_seq or not endpoint.wants(event.type):
                continue
            if room.take(endpoint.id):
                offer.taken.append((endpoint, event))
            else:
                offer.stopped[endpoint.id] = offer.until
        offer.until = event.seq
    return offer


def delivery_for(endpoint: Endpoint, event: Event) -> Delivery:
    """The delivery of an event to an endpoint, not stored yet."""
    return Delivery(
        id=new_id("dlv"),
        endpoint_id=endpoint.id,
        app_id=event.app_id,
        event_seq=event.seq,
        message_id=message_id(event.seq),
        type=event.type,
        session_id=event.session_id,
        state="pending",
        attempts=0,
        created_at=now_ms(),
        delivered_at=None,
        last_outcome=None,
        last_status=None,
    )
