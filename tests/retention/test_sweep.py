"""What an app keeps for no longer is deleted, here and in the object storage, and the audit trail says so."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from stagedoor.audit import store as trail
from stagedoor.events.nouns import NewEvent
from stagedoor.events.settings import EventSettings
from stagedoor.events.store import events
from stagedoor.jobs.nouns import RECURRING, NewJob
from stagedoor.jobs.store import jobs, list_jobs
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock import now_ms
from stagedoor.retention import sweep
from stagedoor.rooms import store as rooms
from stagedoor.rooms.nouns import Session
from stagedoor.storage import Database, Transaction
from stagedoor.storage.objects import Objects
from stagedoor.tenancy import store as tenancy
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.transcripts import archiving, store
from stagedoor.transcripts.nouns import Segment, Transcript
from stagedoor.transcripts.settings import TranscriptSettings
from tests.outbox.world import World, make_world
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


async def swept(world: World, objects: Objects) -> None:
    """Let the jobs run until none is left but those that come again."""
    kinds = [
        sweep.kind(world.database, world.queue, 3600),
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
        for format_ in archiving.FORMATS:
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
        assert await _count(world) == 3  # nobody has been offered them yet
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
