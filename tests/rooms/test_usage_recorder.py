"""The time of cameras and viewers counts once: for the app, and for the session that lived when it was written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import final_usage
from stagedoor.storage import Database, Transaction
from stagedoor.streams.usage_recorder import MediaUsageRecorder
from stagedoor.tenancy import store as tenancy
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import apps
from stagedoor.usage import store as usage
from stagedoor.usage.meters import METERS, Amounts
from stagedoor.usage.running_meters import RunningMeters
from tests.support.rooms_harness import World
from tests.support.rooms_model import LiveKitModel


@pytest.fixture(params=["sqlite", "postgresql"])
def either_world(request: pytest.FixtureRequest) -> World:
    """A world on each engine."""
    found: World = request.getfixturevalue({"sqlite": "sqlite_world", "postgresql": "postgres_world"}[request.param])
    return found


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: int

    def __call__(self) -> int:
        return self.now


class Watched:
    """What cameras and viewers would do, and what came of it."""

    def __init__(self, database: Database, at: int) -> None:
        self.database = database
        self.clock = Clock(at)
        self.running = RunningMeters(self.clock, self.clock)
        self.media_usage = MediaUsageRecorder(database, "node", self.running)

    async def app_id(self) -> str:
        return await self.database.read(lambda tx: tx.execute(select(apps.c.id)).scalars().one())

    def pass_by(self, app_id: str, ms: int, room: str = "live-a") -> None:
        """A camera sends to a room, and two look at it, for so long."""
        with (
            self.running.run("camera", app_id, room),
            self.running.run("viewer", app_id, room),
            self.running.run("viewer", app_id, room),
        ):
            self.clock.now += ms

    async def of_app(self, app_id: str) -> Amounts:
        query = select(*(usage.app_hours.c[meter] for meter in METERS)).where(usage.app_hours.c.app_id == app_id)
        rows = await self.database.read(lambda tx: tx.execute(query).all())
        return sum((Amounts(*row) for row in rows), Amounts())

    async def of_session(self, session_id: str) -> Amounts:
        hours = await self.database.read(lambda tx: usage.hours_of_session(tx, session_id))
        return sum(hours.values(), Amounts())


async def test_a_session_says_what_was_watched_in_it_and_never_corrects_it(either_world: World) -> None:
    world, model = either_world, LiveKitModel()
    model.now = now_ms() - 60_000  # a session that lasts is metered up to now
    watched = Watched(world.database, model.now)
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    await world.apply(model.sent)
    app_id = await watched.app_id()
    (session,) = (await world.snapshot()).sessions.values()
    for ms in (10_000, 4_000):
        watched.pass_by(app_id, ms)
        await watched.media_usage.write()
        await watched.media_usage.write()  # nothing has run since
        for _ in range(2):  # as the job does that meters what lasts
            await world.database.write(lambda tx: final_usage.settle(tx, world.feed, session.id))
        assert (await watched.of_session(session.id)).added == (await watched.of_app(app_id)).added
    watched.pass_by(app_id, 3_000)
    already = len(model.sent)
    model.now += 20_000
    model.finish(room)
    await world.apply(model.sent[already:])
    await watched.media_usage.close()
    await world.settle()
    await world.settle()
    story = (await world.snapshot()).story
    (ended,) = [event for event in story if event.type == "session.ended"]
    said = ended.detail["usage"]
    assert (said["cameraMinutes"], said["viewerMinutes"]) == (round(14 / 60, 4), round(28 / 60, 4))
    assert [event for event in story if event.type == "session.corrected"] == []
    assert await watched.of_session(session.id) == Amounts(participant=20_000, camera=14_000, viewer=28_000)
    assert await watched.of_app(app_id) == Amounts(participant=20_000, camera=17_000, viewer=34_000)


@pytest.mark.parametrize("stored", [True, False])
async def test_what_may_have_been_stored_counts_once(
    either_world: World, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, model = either_world.database, LiveKitModel()
    model.activate(model.create("live-a"), model.connect("live-a", "ann"))
    await either_world.apply(model.sent)
    (session,) = (await either_world.snapshot()).sessions.values()
    watched = Watched(database, model.now)
    app_id, write = await watched.app_id(), database.write

    async def lose(_: Database, work: Callable[[Transaction], Any]) -> None:
        if stored:
            await write(work)
        raise StorageUnavailable("The connection was lost.")

    watched.pass_by(app_id, 10_000)
    monkeypatch.setattr(type(database), "write", lose)
    for _ in range(2):
        await watched.media_usage.write()
    watched.pass_by(app_id, 5_000)
    monkeypatch.undo()
    assert (await watched.of_app(app_id)).camera == (10_000 if stored else 0)
    await watched.media_usage.close()
    assert await watched.of_app(app_id) == Amounts(camera=15_000, viewer=30_000)
    assert await watched.of_session(session.id) == Amounts(camera=15_000, viewer=30_000)


async def test_a_deleted_app_is_in_nobodys_way(either_world: World) -> None:
    database = either_world.database
    watched = Watched(database, 1_700_000_000_000)
    app_id = await watched.app_id()

    def make(tx: Transaction) -> App:
        like = tenancy.app_by_id(tx, app_id)
        assert like is not None
        app = replace(like, id=new_id("app"), slug="gone")
        tenancy.insert_app(tx, app)
        return app

    gone = await database.write(make)
    watched.pass_by(gone.id, 10_000, "gone-a")
    watched.pass_by(app_id, 10_000)
    await database.write(lambda tx: tenancy.delete_app(tx, gone.id))
    await watched.media_usage.write()
    assert await watched.of_app(gone.id) == Amounts()
    assert await watched.of_app(app_id) == Amounts(camera=10_000, viewer=20_000)
