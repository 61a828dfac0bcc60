"""The worker that applies stored events: in order per room, each in one transaction with what it changes.

Its only memory is the inbox, so it goes on where it stopped, whatever stopped it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy.exc import DBAPIError

from stagedoor.events.feed import Feed
from stagedoor.inbox import store
from stagedoor.inbox.metrics import INBOX_APPLIED, INBOX_LAG
from stagedoor.inbox.store import Applied, InboxEvent
from stagedoor.jobs.queue import Queue
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.errors import Conflict, NotFound, StorageUnavailable
from stagedoor.mediaserver.livekit_event import decode_event
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.rooms import presence
from stagedoor.rooms.apply import Outcome, apply_event
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.rooms.observe import Observer
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()

Look = Callable[[Transaction, str, ParticipantSnapshot], None]
"""What looks at a participant who joined a LiveKit room, in the transaction that applies it."""

BATCH: Final = 200
WINDOW: Final = 5_000
"""How far ahead a pass looks for events of the same rooms, which are applied together."""

TOGETHER: Final = 100
MAX_ATTEMPTS: Final = 3
TURN_SECONDS: Final = 0.01
LONG_TURN_SECONDS: Final = 0.25
"""How long one transaction may take. On SQLite the webhooks that come in meanwhile wait for it: with turns of a hundred
events they were acknowledged at a third of the rate. PostgreSQL takes them in on other connections."""
BUSY: Final = 16
"""Webhooks that come in during one turn when there are many."""

GATHER_SECONDS: Final = 0.1
"""When there are many on SQLite, the next ones are let come together for so long before they are applied: the events of
one room together cost two fifths of what they cost alone, and meanwhile acknowledgements do not wait for a turn."""

LATEST_SECONDS: Final = 1.0
"""Nothing is let come together while an event has waited for so long."""
POLL_SECONDS: Final = 1.0
LONGEST_SLEEP_SECONDS: Final = 30.0


class Applier:
    """Applies stored events.

    Args:
        database: The inbox and the state.
        feed: Where the resulting events go.
        queue: Where what is more than state is asked for.
        ban_enforcer: Looks at each participant who joins.
        looks: What else does.
        clock: Looked at before events are applied: the times of open sessions are adjusted before they end.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        queue: Queue,
        ban_enforcer: BanEnforcer,
        clock: ClockWatch | None = None,
        looks: Sequence[Look] = (),
    ) -> None:
        self._clock = clock or ClockWatch()
        self._database = database
        self._turn_seconds = TURN_SECONDS if database.sole_writer else LONG_TURN_SECONDS
        self._gathers = database.sole_writer
        self._feed = feed
        self._queue = queue
        self._ban_enforcer = ban_enforcer
        self._looks = looks
        self._awake = asyncio.Event()
        self._left = False
        """Whether the last pass left something that is pending."""

    def wake(self) -> None:
        """There is something to apply."""
        self._awake.set()

    async def run(self) -> None:
        """Apply events until cancelled."""
        while True:
            self._awake.clear()
            await self.drain()
            # Another node's events wake no one here, nor do those that failed or could not be applied now.
            polls = self._left or not self._database.sole_writer
            try:
                async with asyncio.timeout(POLL_SECONDS if polls else LONGEST_SLEEP_SECONDS):
                    await self._awake.wait()
            except TimeoutError:
                pass

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
        ahead = _Ahead()
        self._left = True
        while True:
            await self._clock.notify()
            before = self._database.counters.rows
            try:
                first = await self._database.write(lambda tx: self._batch(tx, ahead, wait=up_to is not None))
            except StorageUnavailable as error:
                _log.warning("inbox_not_applied", error=str(error))
                return
            except Exception:  # noqa: BLE001 - what is pending stays so, and a later pass may well work
                _log.exception("inbox_pass_failed")
                return
            if first is None or (up_to is not None and first > up_to):
                self._left = bool(ahead.held)
                return
            if up_to is None and self._gathers and self._database.counters.rows - before >= BUSY and ahead.may_wait():
                await asyncio.sleep(GATHER_SECONDS)

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
            presence.lock_rooms(tx, [event.livekit_room])
            self._apply_together(tx, [event], {})
            after = store.get_event(tx, event_id)
            assert after is not None  # noqa: S101 - it was there, and events are not deleted
            return after

        return await self._database.write(again)

    def _batch(self, tx: Transaction, ahead: _Ahead, *, wait: bool) -> int | None:
        """Apply some of the events that are pending; the number of the first one, None when there was none.

        Args:
            tx: The transaction for all of them.
            ahead: What this pass has found to be pending.
            wait: For another node, which holds the inbox for one batch at a time.
        """
        if wait:  # two nodes at once would break the order
            tx.lock("inbox", ("",))
        elif not tx.try_lock("inbox", ("",)):
            return None
        began = time.monotonic()
        ahead.look(tx)
        groups = ahead.take(BATCH)
        if not groups:
            return None
        presence.lock_rooms(tx, {group.livekit_room for group in groups})
        apps: dict[str, App | None] = {}
        for number, group in enumerate(groups, 1):
            if group.livekit_room in ahead.held:
                continue
            events = store.pending_of_room(tx, group.livekit_room, group.first, group.last)
            if events and not self._apply_together(tx, events, apps):
                ahead.held.add(group.livekit_room)
            if time.monotonic() - began > self._turn_seconds:
                ahead.put_back(groups[number:])
                break
        return groups[0].first

    def _apply_together(self, tx: Transaction, events: Sequence[InboxEvent], apps: dict[str, App | None]) -> bool:
        """Apply events of one room; false when one failed and waits for another pass, with those after it."""
        try:
            with tx.savepoint():
                outcomes = self._take_in(tx, events, apps)
        except Exception as error:
            if tx.blames_database(error):
                raise  # and the events wait, however long that takes
            if len(events) > 1:  # one of them failed, and has undone the others
                return all(self._apply_together(tx, [event], apps) for event in events)
            return _failed(tx, events[0], error)
        tx.after_commit(partial(_count, [event.received_at for event in events], outcomes))
        return True

    def _take_in(self, tx: Transaction, events: Sequence[InboxEvent], apps: dict[str, App | None]) -> list[Outcome]:
        obs = Observer(tx, self._feed, self._queue, "webhook", apps=apps)
        outcomes: list[Outcome] = []
        for event in events:
            about = {"stagedoor.inbox.id": event.id, "stagedoor.inbox.event": event.event}
            with tracing.span("inbox apply", parent=event.trace, kind="consumer", attributes=about) as span:
                try:
                    decoded = decode_event(event.body)
                    outcome = apply_event(obs, decoded, event.received_at, again=event.state == "applied")
                except Exception as error:
                    span.failed(type(error).__name__)
                    raise
                if outcome == "applied" and decoded.event == "participant_joined" and decoded.participant:
                    self._ban_enforcer.look(tx, decoded.room_name, decoded.participant.identity)
                    for look in self._looks:
                        look(tx, decoded.room_name, decoded.participant.fact())
                span.note({"stagedoor.inbox.outcome": outcome})
            outcomes.append(outcome)
        obs.flush()
        now = now_ms()
        store.set_states(
            tx,
            [
                Applied(event.seq, outcome, event.attempts + 1, now)
                for event, outcome in zip(events, outcomes, strict=True)
            ],
        )
        return outcomes


@dataclass(slots=True)
class _Group:
    """Pending events of one room that are applied together: all of it between two numbers."""

    livekit_room: str
    first: int
    last: int
    count: int = 1


class _Ahead:
    """What a pass has found to be pending: by room, because nothing but the order within a room is promised.

    Attributes:
        held: Rooms whose next event failed and waits for another pass.
    """

    def __init__(self) -> None:
        self.held: set[str] = set()
        self._groups: deque[_Group] = deque()
        self._after = 0
        self._oldest = 0

    def look(self, tx: Transaction) -> None:
        """Find more, once what was found is taken."""
        while not self._groups:
            found = store.pending(tx, WINDOW, after=self._after)
            if not found:
                return
            self._after = found[-1][0]
            self._oldest = found[0][2]
            self._arrange(found)

    def may_wait(self) -> bool:
        """Whether all that was found is taken, and none of it had come in long ago."""
        return not self._groups and 0 <= now_ms() - self._oldest < LATEST_SECONDS * 1000

    def take(self, events: int) -> list[_Group]:
        """The next groups, of so many events or a few more."""
        taken: list[_Group] = []
        count = 0
        while self._groups and count < events:
            group = self._groups.popleft()
            taken.append(group)
            count += group.count
        return taken

    def put_back(self, groups: Sequence[_Group]) -> None:
        """Their turn has not come."""
        self._groups.extendleft(reversed(groups))

    def _arrange(self, found: Sequence[Sequence[Any]]) -> None:
        open_groups: dict[str, _Group] = {}
        for seq, livekit_room, _ in found:
            if livekit_room in self.held:
                continue
            if not livekit_room:  # it may be about any room: what came before is applied before
                open_groups = {}
                self._groups.append(_Group("", seq, seq))
                continue
            group = open_groups.get(livekit_room)
            if group is None or group.count >= TOGETHER:
                open_groups[livekit_room] = _Group(livekit_room, seq, seq)
                self._groups.append(open_groups[livekit_room])
            else:
                group.last = seq
                group.count += 1


def _failed(tx: Transaction, event: InboxEvent, error: Exception) -> bool:
    """Record that an event could not be applied; true when it is not tried again."""
    attempts = event.attempts + 1
    last = attempts >= MAX_ATTEMPTS
    _log.error("event_not_applied", event_id=event.id, attempts=attempts, exc_info=error)
    # Not the whole of a database's error, which repeats the statement with everything in it.
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = f"{type(error).__name__}: {cause}"[:500]
    store.set_states(tx, [Applied(event.seq, "failed" if last else "pending", attempts, None, reason)])
    INBOX_APPLIED.labels("failed" if last else "retried").inc()
    return last


def _count(received: Sequence[int], outcomes: Sequence[Outcome]) -> None:
    now = now_ms()
    for outcome, count in Counter(outcomes).items():
        INBOX_APPLIED.labels(outcome).inc(count)
    for at in received:
        INBOX_LAG.observe(max(0, now - at) / 1000)
