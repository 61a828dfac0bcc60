"""A room is composed once for all its users, on one node, by a participant that is not seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from stagedoor.app.firstrun import make_first
from stagedoor.kernel.errors import NotFound, Unavailable
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outputs.composition import store
from stagedoor.outputs.composition.compositions import Compositions
from stagedoor.outputs.composition.settings import CompositionSettings
from stagedoor.storage import Database
from stagedoor.streams.media.protocol import SegmentOutput
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.store import app_by_slug
from tests.streams.media.publishing import media_workers, token
from tests.support.api_tenant import fresh
from tests.support.composed import Composed, is_near
from tests.support.jpegs import RED
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually
from tests.support.room_people import Person, person


@asynccontextmanager
async def node(
    database: Database, livekit: ExternalLiveKit, workers: MediaWorkers, name: str = "one"
) -> AsyncGenerator[Compositions]:
    gateway = LiveKitGateway(Endpoint(livekit.url, livekit.url, KEY, SECRET))
    made = Compositions(database, gateway, workers, name)
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await gateway.close()


async def show(one: Person, livekit: ExternalLiveKit, room: str) -> None:
    """Publish red, and wait until LiveKit's list has it."""
    await one.show(RED)
    gateway = LiveKitGateway(Endpoint(livekit.url, livekit.url, KEY, SECRET))

    async def listed() -> bool:
        return any(who.tracks for who in await gateway.participants(room))

    await eventually(listed)
    await gateway.close()


async def small_app(database: Database) -> App:
    await database.write(make_first)
    app = await database.read(lambda tx: app_by_slug(tx, "live"))
    assert app is not None
    return replace(app, settings=AppSettings(CompositionSettings(size="360p", fps=10)))


async def holder(database: Database, room: str) -> list[str]:
    query = store.compositions.select().where(store.compositions.c.livekit_room == room)
    return await database.read(lambda tx: [row.node for row in tx.execute(query)])


async def test_a_room_is_composed_once_for_all_its_users_by_one_that_is_not_seen(
    database: Database, bare_livekit: ExternalLiveKit
) -> None:
    app, room = await small_app(database), fresh("room")
    async with (
        media_workers() as workers,
        node(database, bare_livekit, workers) as compositions,
        person(bare_livekit.url, token(room, "ann")) as ann,
    ):
        await show(ann, bare_livekit, room)
        streams = await asyncio.gather(*(compositions.use(app, room, user) for user in ("hls", "restream")))
        assert streams[0] is streams[1]
        one = Composed(streams[0])
        one.stream.start_output(SegmentOutput(2.0, 0.5), one.take)
        await one.until(lambda seen: is_near(seen.colour(0.5, 0.5), RED) and seen.pictures[-1][1].shape[0] == 360)

        gateway = LiveKitGateway(Endpoint(bare_livekit.url, bare_livekit.url, KEY, SECRET))
        assert [who.identity for who in await gateway.participants(room)] == ["ann"]

        async def counted() -> bool:
            found = await gateway.find_room(room)
            return found is not None and found.num_participants == 1

        await eventually(counted)
        await gateway.close()
        assert list(ann.room.remote_participants) == []
        assert workers.streams_to(room) == [], "it is no source of the room"

        compositions.leave(room, "hls")
        assert await compositions.use(app, room, "hls") is streams[0]
        compositions.leave(room, "hls")
        compositions.leave(room, "restream")

        async def ended() -> bool:
            return one.stream.ended.done() and not await holder(database, room)

        await eventually(ended)


async def test_a_room_that_is_empty_is_not_composed_and_one_that_becomes_so_is_released(
    database: Database, bare_livekit: ExternalLiveKit
) -> None:
    app, room = await small_app(database), fresh("room")
    async with media_workers() as workers, node(database, bare_livekit, workers) as compositions:
        with pytest.raises(NotFound):
            await compositions.use(app, room, "hls")
        async with person(bare_livekit.url, token(room, "ann")) as ann:
            with pytest.raises(NotFound, match="publishes"):
                await compositions.use(app, room, "hls")
            await show(ann, bare_livekit, room)
            stream = await compositions.use(app, room, "hls")
            one = Composed(stream)
            stream.start_output(SegmentOutput(2.0, 0.5), one.take)
            await one.until(lambda seen: is_near(seen.colour(0.5, 0.5), RED))
        ended = await asyncio.wait_for(asyncio.shield(stream.ended), 25)
        assert (ended.code, ended.retry) == ("source_ended", False)

        async def released() -> bool:
            return not await holder(database, room)

        await eventually(released)


async def test_one_node_composes_a_room_and_another_one_once_that_is_gone(
    database: Database, bare_livekit: ExternalLiveKit
) -> None:
    app, room = await small_app(database), fresh("room")
    async with (
        media_workers() as workers,
        node(database, bare_livekit, workers) as first,
        node(database, bare_livekit, workers, "two") as second,
        person(bare_livekit.url, token(room, "ann")) as ann,
    ):
        await show(ann, bare_livekit, room)
        stream = await first.use(app, room, "hls")
        with pytest.raises(Unavailable, match="Another node"):
            await second.use(app, room, "hls")
        assert await holder(database, room) == ["one"]
        # The first one is not heard of for so long that its lease ends.
        past = store.compositions.update().values(lease_until=0)
        await database.write(lambda tx: tx.execute(past))
        other = await second.use(app, room, "hls")
        assert other is not stream
        assert await holder(database, room) == ["two"]
        await asyncio.wait_for(asyncio.shield(stream.ended), 25)
        assert await holder(database, room) == ["two"], "who lost the room released what another one has"


async def test_more_than_the_machine_can_take_is_refused_with_the_reason_and_leaves_no_lease(
    database: Database, bare_livekit: ExternalLiveKit
) -> None:
    app, room = await small_app(database), fresh("room")
    full = MediaWorkers(MediaWorkerSettings(media_load=0.01))
    async with (
        node(database, bare_livekit, full) as compositions,
        person(bare_livekit.url, token(room, "ann")) as ann,
    ):
        await show(ann, bare_livekit, room)
        with pytest.raises(Unavailable, match="machine is full"):
            await compositions.use(app, room, "hls")
        assert await holder(database, room) == []
    await full.close()
