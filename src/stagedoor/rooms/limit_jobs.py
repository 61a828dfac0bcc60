"""The jobs that hold announced sessions to their limits, and tidy up after them: time passes, and LiveKit is asked."""

from __future__ import annotations

from collections.abc import Sequence

from stagedoor.events.feed import Feed
from stagedoor.jobs.nouns import Effect, Job, JobKind, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, Problem
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import machine, plans, plans_store, session_jobs, store
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.nouns import Moment, Session
from stagedoor.rooms.observe import Observer, session_ended
from stagedoor.storage import Database, Transaction


class Enforcer:
    """Does the jobs."""

    def __init__(self, database: Database, feed: Feed, queue: Queue, gateway: LiveKitGateway, bans: Bans) -> None:
        self._database = database
        self._feed = feed
        self._queue = queue
        self._gateway = gateway
        self._bans = bans

    def kinds(self) -> Sequence[JobKind]:
        """The jobs."""
        return [
            JobKind(session_jobs.LIMIT, self._limit),
            JobKind(session_jobs.CLEAN_UP, self._clean_up),
            JobKind(session_jobs.REFUSE, self._refuse),
            JobKind(session_jobs.TURN_AWAY, self._turn_away),
        ]

    async def _limit(self, job: Job) -> Effect | None:
        session_id = str(job.payload["session"])
        due = await self._database.write(lambda tx: _due(tx, session_id))
        if due is None:
            return None
        if isinstance(due, int):
            # It was asked for by a time that was corrected since, or an operator let it run now.
            raise Retry("Its time has not come.", after_seconds=due / 1000, counted=False)
        if due.state == "created":
            return lambda tx: expire(tx, self._feed, self._queue, session_id)
        await self._end(due)
        return None

    async def _clean_up(self, job: Job) -> Effect | None:
        session_id = str(job.payload["session"])
        session = await self._database.read(lambda tx: store.session_anywhere(tx, session_id))
        if session is None:
            return None
        try:
            # LiveKit forgets them with the room, and says "no response from servers" of one that is gone (1.13.5);
            # a room that came back is another session's, with agents of its own.
            if await self._lives(session):
                await self._gateway.delete_dispatches(session.livekit_room)
        except Problem as problem:
            raise Retry(problem.detail) from None
        return lambda tx: _cleaned(tx, self._bans, session)

    async def _refuse(self, job: Job) -> Effect | None:
        session_id = str(job.payload["session"])
        session = await self._database.write(lambda tx: _refused(tx, session_id))
        if session is not None:
            await self._end(session)
        return None

    async def _turn_away(self, job: Job) -> Effect | None:
        try:
            await self._gateway.remove_participant(str(job.payload["room"]), str(job.payload["identity"]))
        except NotFound:
            pass  # gone by itself
        except Problem as problem:
            raise Retry(problem.detail) from None
        return None

    async def _end(self, session: Session) -> None:
        """End the session's room; what follows comes by LiveKit's event."""
        try:
            if await self._lives(session):
                await self._gateway.delete_room(session.livekit_room)
        except NotFound:
            pass  # it ended by itself, and its event is on the way
        except Problem as problem:
            raise Retry(problem.detail) from None

    async def _lives(self, session: Session) -> bool:
        room = await self._gateway.find_room(session.livekit_room)
        return room is not None and room.sid == session.room_sid


def _refused(tx: Transaction, session_id: str) -> Session | None:
    found = store.session_anywhere(tx, session_id)
    if found is None:
        return None
    store.lock_rooms(tx, [found.livekit_room])
    session = store.session_anywhere(tx, session_id)
    if session is None or session.state == "ended":
        return None
    after = machine.terminated(session)
    store.update_session(tx, after)
    return after


def expire(tx: Transaction, feed: Feed, queue: Queue, session_id: str, *, asked: bool = False) -> None:
    """End a session whose room did not come; one whose room has come meanwhile goes on.

    Args:
        tx: The transaction.
        feed: Where the end is stored.
        queue: Where what follows is asked for.
        session_id: Which one.
        asked: A caller ended it; otherwise its time was over.
    """
    found = store.session_anywhere(tx, session_id)
    if found is None:
        return
    store.lock_rooms(tx, [found.livekit_room])
    session = store.session_anywhere(tx, session_id)
    if session is not None and session.state == "created":
        session = machine.terminated(session) if asked else session
        obs = Observer(tx, feed, queue, "api")
        session_ended(obs, session, Moment(obs.now, "received"))
        obs.flush()


def _due(tx: Transaction, session_id: str) -> Session | int | None:
    """The session, if its time has come, or the milliseconds until then; `None` if nothing is to be done any more.

    One that lasts is marked, so that its end is reported for what it is.
    """
    found = store.session_anywhere(tx, session_id)
    if found is None:
        return None
    store.lock_rooms(tx, [found.livekit_room])
    session, plan = store.session_anywhere(tx, session_id), plans_store.plan_of(tx, session_id)
    if session is None or plan is None or session.state == "ended":
        return None
    now = now_ms()
    if session.state == "created":
        return session if now >= plan.wait_until else plan.wait_until - now
    if plan.max_duration is None:
        return None
    end = session.started_at + plan.max_duration * 1000
    if now < end:
        return end - now
    after = machine.timed_out(session)
    store.update_session(tx, after)
    return after


def _cleaned(tx: Transaction, bans: Bans, session: Session) -> None:
    other = store.open_session_of_room(tx, session.livekit_room)
    if other is None or other.id == session.id:
        bans.lift(tx, session.livekit_room)
    plans.cleaned(tx, session.id)
