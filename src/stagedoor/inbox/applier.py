"""The worker that applies stored events: in order per room, each in one transaction with what it changes.

Its only memory is the inbox, so it goes on where it stopped, whatever stopped it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from stagedoor.events.feed import Feed
from stagedoor.inbox import store
from stagedoor.inbox.metrics import INBOX_APPLIED, INBOX_LAG
from stagedoor.inbox.store import InboxEvent
from stagedoor.jobs.queue import Queue
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.errors import Conflict, NotFound, StorageUnavailable
from stagedoor.mediaserver.livekit_event import decode_event
from stagedoor.rooms import store as rooms_store
from stagedoor.rooms.apply import Outcome, apply_event
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()

BATCH: Final = 50
MAX_ATTEMPTS: Final = 3
TURN_SECONDS: Final = 0.01
LONG_TURN_SECONDS: Final = 0.25
"""How long one transaction may take. On SQLite the webhooks that come in meanwhile wait for it: with turns of a hundred
events they were acknowledged at a third of the rate. PostgreSQL takes them in on other connections."""
POLL_SECONDS: Final = 1.0


class Applier:
    """Applies stored events.

    Args:
        database: The inbox and the state.
        feed: Where the resulting events go.
        queue: Where what is more than state is asked for.
        bouncer: Told of everybody who comes in.
        clock: Looked at before events are applied: the times of open sessions are adjusted before they end.
    """

    def __init__(
        self, database: Database, feed: Feed, queue: Queue, ban_enforcer: BanEnforcer, clock: ClockWatch | None = None
    ) -> None:
        self._clock = clock or ClockWatch()
        self._database = database
        self._turn_seconds = TURN_SECONDS if database.sole_writer else LONG_TURN_SECONDS
        self._feed = feed
        self._queue = queue
        self._ban_enforcer = ban_enforcer
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """There is something to apply."""
        self._awake.set()

    async def run(self) -> None:
        """Apply events until cancelled."""
        while True:
            self._awake.clear()
            await self.drain()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._awake.wait()
            except TimeoutError:
                pass  # another node's events, and those that failed, wake nobody

    async def drain(self) -> None:
        """Apply what is pending, until nothing is; what fails waits for the next call."""
        await self._drain(None)

    async def catch_up(self) -> None:
        """Apply what is pending now, and return when each of these events was tried, by us or by another node.

        What comes in meanwhile is not waited for, or this would not end while more comes in than can be applied.
        """
        try:
            newest = await self._database.read(store.newest_pending_seq)
        except StorageUnavailable as error:
            _log.warning("inbox_unavailable", error=str(error))
            return
        if newest is not None:
            await self._drain(newest)

    async def _drain(self, up_to: int | None) -> None:
        held: set[str] = set()
        while True:
            await self._clock.notify()
            try:
                first = await self._database.write(lambda tx: self._batch(tx, held, wait=up_to is not None))
            except StorageUnavailable as error:
                _log.warning("inbox_unavailable", error=str(error))
                return
            except Exception:  # noqa: BLE001 - what is pending stays so, and a later pass may well work
                _log.exception("inbox_pass_failed")
                return
            if first is None or (up_to is not None and first > up_to):
                return

    async def replay(self, event_id: str) -> InboxEvent:
        """Apply a stored event again, whatever became of it before.

        Raises:
            NotFound: There is no such event.
        """

        def again(tx: Transaction) -> InboxEvent:
            event = store.get_event(tx, event_id)
            if event is None:
                raise NotFound("There is no such event in the inbox.", code="event_not_found")
            if event.state != "pending" and store.room_has_pending(tx, event.livekit_room):
                raise Conflict("Events of this room wait to be applied first; try again shortly.", code="room_busy")
            rooms_store.lock_rooms(tx, [event.livekit_room])
            self._apply(tx, event)
            after = store.get_event(tx, event_id)
            assert after is not None  # noqa: S101 - it was there, and events are not deleted
            return after

        return await self._database.write(again)

    def _batch(self, tx: Transaction, held: set[str], *, wait: bool) -> int | None:
        """Apply up to `BATCH` events; the number of the first one, None when there was none.

        Args:
            tx: The transaction for all of them.
            held: Rooms whose next event failed and waits for another pass; those of this batch are added.
            wait: For another node, which holds the inbox for one batch at a time.
        """
        if wait:  # two nodes at once would break the order
            tx.lock("inbox", ("",))
        elif not tx.try_lock("inbox", ("",)):
            return None
        began = time.monotonic()
        events = store.pending(tx, BATCH, without_rooms=held)
        rooms_store.lock_rooms(tx, {event.livekit_room for event in events})
        for event in events:
            if event.livekit_room not in held and not self._apply(tx, event):
                held.add(event.livekit_room)
            if time.monotonic() - began > self._turn_seconds:
                break
        return events[0].seq if events else None

    def _apply(self, tx: Transaction, event: InboxEvent) -> bool:
        about = {"stagedoor.inbox.id": event.id, "stagedoor.inbox.event": event.event}
        with tracing.span("inbox apply", parent=event.trace, kind="consumer", attributes=about) as span:
            return self._apply_within(tx, event, span)

    def _apply_within(self, tx: Transaction, event: InboxEvent, span: tracing.Span) -> bool:
        attempts = event.attempts + 1
        try:
            with tx.savepoint():
                outcome = self._take_in(tx, event)
                store.set_state(tx, event.seq, outcome, attempts=attempts, applied_at=now_ms())
        except Exception as error:
            if tx.blames_database(error):
                raise  # and the event waits, however long that takes
            last = attempts >= MAX_ATTEMPTS
            _log.exception("inbox_event_failed", event_id=event.id, attempts=attempts)
            # Not the whole of a database's error, which repeats the statement with everything in it.
            cause = error.orig if isinstance(error, DBAPIError) else error
            reason = f"{type(error).__name__}: {cause}"[:500]
            state = "failed" if last else "pending"
            store.set_state(tx, event.seq, state, attempts=attempts, applied_at=None, error=reason)
            span.failed(type(error).__name__)
            INBOX_APPLIED.labels("failed" if last else "retried").inc()
            return last
        span.note({"stagedoor.inbox.outcome": outcome})
        tx.after_commit(lambda: _count(event, outcome))
        return True

    def _take_in(self, tx: Transaction, event: InboxEvent) -> Outcome:
        decoded = decode_event(event.body)
        again = event.state == "applied"
        outcome = apply_event(tx, self._feed, self._queue, decoded, event.received_at, again=again)
        if outcome == "applied" and decoded.event == "participant_joined" and decoded.participant:
            self._ban_enforcer.look(tx, decoded.room_name, decoded.participant.identity)
        return outcome


def _count(event: InboxEvent, outcome: Outcome) -> None:
    INBOX_APPLIED.labels(outcome).inc()
    INBOX_LAG.observe(max(0, now_ms() - event.received_at) / 1000)
