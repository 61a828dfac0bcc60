"""What an app keeps for no longer is deleted, here and in the object storage, and the audit trail says so."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update
from structlog.testing import capture_logs

from stagedoor.audit import store as trail
from stagedoor.events.nouns import NewEvent
from stagedoor.events.settings import EventSettings
from stagedoor.events.store import events
from stagedoor.inbox.store import inbox
from stagedoor.jobs.nouns import RECURRING, Job, NewJob, Retry
from stagedoor.jobs.operator_store import list_jobs
from stagedoor.jobs.store import jobs
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.retention import rules
from stagedoor.retention.sweep import SWEEP, Retention
from stagedoor.rooms import store as rooms
from stagedoor.rooms.nouns import Session
from stagedoor.storage import Database, Transaction
from stagedoor.storage.objects import Objects
from stagedoor.tenancy import store as tenancy
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.transcripts import archiving, store
from stagedoor.transcripts.formats import FORMATS
from stagedoor.transcripts.nouns import Segment, Transcript
from stagedoor.transcripts.settings import TranscriptSettings
from tests.outbox.world import World, make_world
from tests.support.clocks import Clocks
from tests.support.receiver import Receiver, receiving

DAY_MS = 86_400_000


@pytest.fixture
async def world(database: Database) -> World:
    return await make_world(database)


async def session(world: World, name: str, days_ago: int) -> str:
    """A session that ended so long ago, with a transcript that was archived."""
    end = now_ms() - days_ago * DAY_MS

    def make(tx: Transaction) -> None:
        livekit_room = f"live-{name}"
        gone = Session(name, world.app.id, name, livekit_room, f"RM_{name}", "ended", end, "livekit", end, end)
        rooms.insert_session(tx, replace(gone, ended_at=end))
        store.insert_transcript(tx, Transcript(name, world.app.id, "archived", False, end, end, end, end))
        store.save_segments(tx, name, [Segment("speech", "ada", "SG_1", "Ada", None, None, "words", True, end, end)])

    await world.database.write(make)
    return name


async def keep(world: World, settings: AppSettings) -> None:
    after = replace(world.app, settings=settings)
    await world.database.write(lambda tx: tenancy.update_app(tx, after))


def retention(world: World, clock: ClockWatch | None = None, max_age: int = 0) -> Retention:
    made = Retention(world.database, clock or ClockWatch())
    rules.register(made, world.queue, max_age)
    return made


async def swept(world: World, objects: Objects, clock: ClockWatch | None = None) -> None:
    """Let the jobs run until none is left but those that come again."""
    kinds = [
        *retention(world, clock).kinds(3600),
        *archiving.kinds(world.database, world.feed, world.queue, objects),
    ]
    await world.database.write(lambda tx: world.queue.put(tx, NewJob("retention.sweep", unique_key=RECURRING)))
    worker = asyncio.create_task(Worker(world.database, world.queue, kinds).run())
    try:
        async with asyncio.timeout(20):
            while True:
                known = await world.database.read(_jobs)
                if any(kind == "retention.sweep" and state == "done" for kind, state in known) and not any(
                    state in {"queued", "running"} and kind != "retention.sweep" for kind, state in known
                ):
                    return
                await asyncio.sleep(0.02)
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


def _jobs(tx: Transaction) -> Sequence[tuple[str, str]]:
    return [(job.kind, job.state) for job in list_jobs(tx, state=None, kind=None, before=None, limit=200)]


async def test_transcripts_go_when_they_are_due(world: World, tmp_path: Path) -> None:
    objects = Objects(None, tmp_path / "objects")
    old, young = await session(world, "old", 10), await session(world, "young", 2)
    for name in (old, young):
        for format_ in FORMATS:
            key = archiving.key_of(world.organisation.id, world.app.id, name, format_)
            await objects.put(key, b"words", "text/plain")
    await keep(world, AppSettings(TranscriptSettings(transcript_retention=5 * 86_400)))
    await swept(world, objects)

    def look(tx: Transaction) -> tuple[bool, bool]:
        return store.transcript_of(tx, old) is None, store.transcript_of(tx, young) is None

    assert await world.database.read(look) == (True, False)
    gone = archiving.key_of(world.organisation.id, world.app.id, old, "json")
    there = archiving.key_of(world.organisation.id, world.app.id, young, "json")
    assert await objects.get(gone) is None
    assert await objects.get(there) == b"words"
    entries = await world.database.read(_trail)
    assert [(entry.actor, entry.action, entry.target, entry.app_id) for entry in entries] == [
        ("system", "transcript.expired", old, world.app.id)
    ]


async def test_events_go_when_they_are_due_and_have_been_offered(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        endpoint, _ = await world.endpoint(receiver.url)
        for days in (10, 9, 1):
            event = NewEvent(
                world.app.id, "room.created", "api", now_ms() - days * DAY_MS, "live-demo", "demo", None, {}
            )
            await world.database.write(lambda tx, event=event: world.feed.append(tx, event))
        await keep(world, AppSettings(EventSettings(event_retention=5 * 86_400)))
        objects = Objects(None, tmp_path / "objects")
        await swept(world, objects)
        assert await _count(world) == 3  # the fan-out has not seen them yet
        async with world.working():
            await world.until(endpoint, "delivered", "delivered", "delivered")
        await world.database.write(_forget_jobs)
        await swept(world, objects)
        assert await _count(world) == 1
        await _taken(receiver, 3)
    (entry,) = await world.database.read(_trail)
    assert (entry.action, entry.detail["events"]) == ("events.expired", 2)


async def test_without_a_retention_everything_stays(world: World, tmp_path: Path) -> None:
    await session(world, "old", 1000)
    event = NewEvent(world.app.id, "room.created", "api", 0, "live-demo", "demo", None, {})
    await world.database.write(lambda tx: world.feed.append(tx, event))
    await swept(world, Objects(None, tmp_path / "objects"))
    assert await _count(world) == 1
    assert await world.database.read(lambda tx: store.transcript_of(tx, "old")) is not None
    assert await world.database.read(_trail) == []


async def test_an_installation_keeps_nothing_for_longer_than_its_operator_wants(world: World, tmp_path: Path) -> None:
    kinds = {one.name: one for one in retention(world, max_age=5 * 86_400).kinds(3600)}
    for days in (10, 1):
        at = now_ms() - days * DAY_MS
        event = NewEvent(world.app.id, "room.created", "api", at, "live-demo", "demo", None, {})

        def add(tx: Transaction, event: NewEvent = event, at: int = at, days: int = days) -> None:
            world.feed.append(tx, event)
            trail.note(tx, None, "app.created", "app_1", organisation_id=None)
            tx.execute(update(trail.audit).where(trail.audit.c.seq == _newest(tx)).values(at=at))
            tx.execute(insert(inbox).values(_received(f"EV_{days}", at, "ignored")))
            tx.execute(insert(inbox).values(_received(f"EV_waits_{days}", at, "pending")))

        await world.database.write(add)
    for name in ("inbox.forget", "audit.forget", SWEEP):
        await kinds[name].handler(job_of(name, created_at=now_ms()))
    assert await _count(world) == 1
    left = await world.database.read(lambda tx: sorted(tx.execute(select(inbox.c.id)).scalars()))
    assert left == ["EV_1", "EV_waits_1", "EV_waits_10"]
    assert [entry.action for entry in await world.database.read(_trail)] == ["events.expired", "app.created"]


def _newest(tx: Transaction) -> int:
    return tx.execute(select(func.max(trail.audit.c.seq))).scalar_one()


def _received(id_: str, at: int, state: str) -> dict[str, object]:
    return {
        "id": id_, "event": "room_started", "livekit_room": "other", "received_at": at, "key_id": "k", "scheme": "jwt",
        "body": b"{}", "state": state,
    }  # fmt: skip


def _trail(tx: Transaction) -> list[trail.Entry]:
    return trail.entries(
        tx, OPERATOR, organisation_id=None, app_id=None, action=None, since=None, before=None, limit=100
    )


def _forget_jobs(tx: Transaction) -> None:
    tx.execute(delete(jobs))


async def _count(world: World) -> int:
    return await world.database.read(lambda tx: tx.execute(select(func.count()).select_from(events)).scalar() or 0)


async def _taken(receiver: Receiver, count: int) -> None:
    assert len(receiver.taken) == count
    assert len({hashlib.sha256(taken.body).digest() for taken in receiver.taken}) == count


def job_of(kind: str, *, created_at: int) -> Job:
    return Job(
        1, "job_1", kind, "running", {}, RECURRING, None, None, created_at, 1, False, "me", None, None, None,
        created_at, None, None,
    )  # fmt: skip


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    clocks.use(monkeypatch, "stagedoor.retention.sweep")
    return clocks


async def sweep(world: World, clock: ClockWatch, *, created_at: int) -> str | None:
    """Let the sweep run now; why it waits, if it does."""
    (kind,) = [kind for kind in retention(world, clock).kinds(3600) if kind.name == SWEEP]
    try:
        await kind.handler(job_of(SWEEP, created_at=created_at))
    except Retry as retry:
        waits = retry
    else:
        return None
    assert not waits.counted
    assert 0 < (waits.after_seconds or 0) <= 3600
    return str(waits)


async def test_a_clock_that_was_set_forward_deletes_nothing(world: World, clocks: Clocks) -> None:
    """Events of today look three weeks old; a day later the clock is believed."""
    watch = clocks.watch()
    await keep(
        world,
        AppSettings(EventSettings(event_retention=7 * 86_400), TranscriptSettings(transcript_retention=7 * 86_400)),
    )
    await session(world, "young", 2)
    planned = clocks.wall
    clocks.set_forward(21 * DAY_MS)
    with capture_logs() as log:
        assert "clock was set forward" in (await sweep(world, watch, created_at=planned) or "")
    assert [entry["kind"] for entry in log if entry["event"] == "retention_waits"] == [SWEEP]
    assert await world.database.read(lambda tx: store.transcript_of(tx, "young")) is not None
    clocks.pass_time(DAY_MS)
    assert await sweep(world, watch, created_at=clocks.wall - 3_600_000) is None
    assert await world.database.read(lambda tx: store.transcript_of(tx, "young")) is None


async def test_a_clock_that_is_set_back_again_is_believed_at_once(world: World, clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.set_forward(21 * DAY_MS)
    assert await sweep(world, watch, created_at=clocks.wall) is not None
    clocks.set_forward(-21 * DAY_MS)
    assert await sweep(world, watch, created_at=clocks.wall) is None


async def test_a_start_weeks_after_the_last_sweep_waits_an_hour(world: World, clocks: Clocks) -> None:
    """The product may have been off, or the clock is wrong: no process watched it."""
    watch = clocks.watch()
    last = clocks.wall - 21 * DAY_MS
    assert "more than a day" in (await sweep(world, watch, created_at=last) or "")
    clocks.pass_time(3_600_000)
    assert await sweep(world, watch, created_at=last) is None


async def test_one_app_that_cannot_be_swept_keeps_no_other_from_it(world: World, clocks: Clocks) -> None:
    await keep(world, AppSettings(TranscriptSettings(transcript_retention=5 * 86_400)))
    made = Retention(world.database, clocks.watch())
    swept_apps: list[str] = []

    def broken(*_: object) -> int:
        raise OverflowError("int too big to convert")

    def fine(_tx: Transaction, app: App, _before: int, _limit: int) -> int:
        swept_apps.append(app.id)
        return 0

    made.register_of_apps(lambda _: 60, broken)
    made.register_of_apps(lambda _: 60, fine)
    with capture_logs() as log:
        await made.kinds(3600)[-1].handler(job_of(SWEEP, created_at=clocks.wall))
    assert swept_apps == [world.app.id]
    assert [entry["app_id"] for entry in log if entry["event"] == "retention_failed"] == [world.app.id]
