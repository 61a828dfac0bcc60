"""Which node pulls a URL: one, and another one when that is gone, on both engines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.sealing import Sealer
from stagedoor.sources.ingress import registry, store
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.nouns import Ingress, Start, Transcoding
from stagedoor.sources.pull import runner
from stagedoor.sources.pull import store as pull_store
from stagedoor.sources.pull.runner import PullRunner
from stagedoor.sources.pull.settings import PullSettings
from stagedoor.storage import Database, Transaction, open_database
from stagedoor.streams.media.protocol import Ended
from stagedoor.streams.watching import Watching
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_slug
from tests.sources.ingress.nodes import Node, node
from tests.support.engines import database, database_url
from tests.support.product import eventually

__all__ = ["database", "database_url"]

SEALER = Sealer("secret")


class _Stream:
    def __init__(self) -> None:
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def request_key_frame(self) -> None:
        pass

    async def stop(self) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended("stopped", "", retry=False))


@dataclass
class Workers:
    """Stands for the media workers; how often something was opened is counted."""

    opened: list[_Stream] = field(default_factory=list[_Stream])

    def prepare(self) -> None:
        pass

    def open(self, _: object) -> _Stream:
        self.opened.append(_Stream())
        return self.opened[-1]


@asynccontextmanager
async def pulling(one: Node, watching: Watching | None = None) -> AsyncGenerator[Workers]:
    workers = Workers()
    pulls = PullRunner(
        one.database,
        SEALER,
        one.sessions,
        cast("Any", workers),
        cast("Any", None),
        PullSettings(pull_allowed_networks=("127.0.0.0/8",)),
        watching or Watching(),
    )
    running = asyncio.create_task(pulls.run())
    try:
        yield workers
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def create(
    one: Node, start: Start = "always", url: str = "rtsp://camera.example/1", transcoding: Transcoding = "auto"
) -> tuple[Ingress, App]:
    wanted = registry.Wanted("url", "gate", url=url, start=start, transcoding=transcoding)

    def make(tx: Transaction) -> tuple[Ingress, App]:
        app = app_by_slug(tx, "live")
        assert app is not None
        return registry.create(tx, app, SEALER, wanted)[0], app

    return await one.database.write(make)


async def test_of_two_nodes_that_see_a_pull_due_one_pulls(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(first, "one") as one, node(second, "two") as two:
        ingress, app = await create(one)
        asked = AuthenticatedIngress(ingress, app, None)
        results = await asyncio.gather(
            one.sessions.begin(asked, "rtsp"), two.sessions.begin(asked, "rtsp"), return_exceptions=True
        )
        (refused,) = [result for result in results if isinstance(result, Exception)]
        assert getattr(refused, "code", None) == "pulled_elsewhere"
        (live,) = [*one.sessions.current(), *two.sessions.current()]
        await asyncio.sleep(0)
        assert not live.ending.done()
        assert (await one.state(ingress)).error is None
    await first.close()
    await second.close()


async def test_the_pulls_of_a_node_that_is_gone_go_on_elsewhere(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(first, "one", runs=False) as one, node(second, "two") as two:
        ingress, _ = await create(one)
        async with pulling(one) as ours:
            await eventually(lambda: asyncio.sleep(0, ours.opened))
            async with pulling(two) as theirs:
                stored = await first.read(lambda tx: store.stored_of(tx, ingress.id))
                assert stored is not None
                assert (stored.node, theirs.opened) == ("one", [])
                # Node one renews no lease any more: its time is over.
                publication = stored.publication or ""
                await first.write(lambda tx: store.renew_leases(tx, [publication], now_ms() - 1))
                await eventually(lambda: asyncio.sleep(0, theirs.opened))
                stored = await first.read(lambda tx: store.stored_of(tx, ingress.id))
                assert stored is not None
                assert stored.node == "two"
    await first.close()
    await second.close()


async def test_on_demand_a_pull_begins_for_viewers_who_are_not_in_the_room(database: Database) -> None:
    """Those of media count for each pull; those of cameras' pictures for what can serve pictures alone."""
    watching = Watching()
    watched = set[tuple[str, str]]()
    watching.add("media", lambda room: ("media", room) in watched)
    watching.add("pictures", lambda room: ("pictures", room) in watched)
    async with node(database) as one:
        ingress, _ = await create(one, start="demand")
        async with pulling(one, watching) as workers:
            watched.add(("pictures", ingress.livekit_room))
            watched.add(("media", "live-other"))
            assert not watching.is_watched(ingress.livekit_room, pictures=False)
            assert watching.is_watched(ingress.livekit_room, pictures=True)
            assert workers.opened == []
            watched.add(("media", ingress.livekit_room))
            await eventually(lambda: asyncio.sleep(0, workers.opened))


async def test_an_idle_node_sees_a_new_pull_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(runner, "_REST_SECONDS", 3_600)
    async with node(database) as one, pulling(one) as workers:
        await create(one)
        one.sessions.forget()
        await eventually(lambda: asyncio.sleep(0, workers.opened))


async def test_a_new_pull_does_not_wait_for_those_that_run(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LOOK_SECONDS", 3_600)
    async with node(database) as one, pulling(one) as workers:
        await create(one)
        one.sessions.forget()
        await eventually(lambda: asyncio.sleep(0, workers.opened))
        await create(one)
        one.sessions.forget()
        await eventually(lambda: asyncio.sleep(0, len(workers.opened) == 2))


async def test_a_file_that_was_played_is_not_due_again_on_any_node_until_it_is_changed(database: Database) -> None:
    async def due() -> list[str]:
        # Far from now, when no lease holds.
        return [
            one.ingress_id for one in await database.read(lambda tx: pull_store.list_due(tx, now_ms() + 86_400_000))
        ]

    async with node(database) as one, pulling(one) as workers:
        ingress, app = await create(one, url="http://files.example/clip.mp4", transcoding="always")
        one.sessions.forget()
        (stream,) = await eventually(lambda: asyncio.sleep(0, workers.opened))
        assert await due() == [ingress.id]
        stream.ended.set_result(Ended("source_ended", "", retry=False))
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))
        assert await due() == []

        def change(tx: Transaction) -> None:
            registry.change(tx, app, SEALER, ingress.id, registry.Changes(name="Again"))

        await database.write(change)
        assert await due() == [ingress.id]


async def test_a_refused_password_is_tried_less_and_less_often_whatever_the_node(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cameras lock out who tries too often."""
    monkeypatch.setattr(runner, "REFUSED_SECONDS", (0.1, 0.2, 3_600.0))
    monkeypatch.setattr(runner, "_REST_SECONDS", 0.1)

    async def due(seconds: int) -> list[str]:
        at = now_ms() + seconds * 1_000
        return [one.ingress_id for one in await database.read(lambda tx: pull_store.list_due(tx, at))]

    async with node(database) as one, pulling(one) as workers:
        ingress, app = await create(one)
        one.sessions.forget()
        for attempt in range(1, 4):
            await eventually(lambda attempt=attempt: asyncio.sleep(0, len(workers.opened) == attempt))
            workers.opened[-1].ended.set_result(Ended("auth_failed", "The password is refused.", retry=False))
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))
        assert await due(3_000) == []
        assert await due(3_700) == [ingress.id]
        await database.write(lambda tx: registry.change(tx, app, SEALER, ingress.id, registry.Changes(name="Again")))
        assert await due(0) == [ingress.id], "a change is tried at once"
