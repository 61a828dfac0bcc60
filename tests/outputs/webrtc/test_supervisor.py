"""Cameras come into their rooms when a participant does, and leave when none is left; with a real LiveKit, whose
webhooks a real Stagedoor applies in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stagedoor.access.grants import JoinRequest, decide
from stagedoor.access.mint import mint
from stagedoor.api.application import build
from stagedoor.app.datafolder import DataFolder
from stagedoor.app.firstrun import APP, make_first
from stagedoor.app.http import HttpServer
from stagedoor.app.network import lay_out
from stagedoor.app.service_factory import make_services
from stagedoor.kernel.metrics import REGISTRY
from stagedoor.mediaserver.snapshots import Permissions
from stagedoor.outputs.webrtc.join_tokens import JoinTokens, NotReady
from stagedoor.outputs.webrtc.settings import CameraBridge
from stagedoor.outputs.webrtc.supervisor import Bridges
from stagedoor.rooms import participants_store
from stagedoor.services.services import Services
from stagedoor.settings.resolve import resolve
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.close_codes import REVOKED
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.storage import migrate, open_database
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_slug
from tests.support.api_tenant import fresh
from tests.support.jpegs import BLUE, jpeg, sending
from tests.support.ports import free_ports
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually
from tests.support.watching import Watcher, watching

LINGER_SECONDS = 1.0


class Stage:
    """A Stagedoor with one camera's room."""

    def __init__(self, parts: Services, livekit: ExternalLiveKit, app: App, bridges: Bridges) -> None:
        self.parts = parts
        self.livekit = livekit
        self.app = app
        self.bridges = bridges
        self.room = f"{APP}-{fresh('door')}"
        self.connections = contextlib.ExitStack()

    @asynccontextmanager
    async def camera(self, policy: CameraBridge) -> AsyncGenerator[None]:
        """A camera that sends."""
        with self.connections:
            live = self.connect(policy)
            async with sending(live.slot, 10, lambda number: jpeg(160, 120, BLUE, number)):
                yield

    def connect(self, policy: CameraBridge) -> LiveCamera:
        """It comes, or comes back."""
        settings = self.app.settings.changed({"camera_bridge": policy})
        camera = Camera("cam_1", self.app.id, self.room, "door-cam", "Front door", "hint", True, 0, 0)
        admitted = AuthenticatedCamera(camera, replace(self.app, settings=settings), "digest")
        return self.connections.enter_context(self.parts.cameras.sending(admitted))

    def wake(self) -> None:
        """Have the supervisor look, although nothing has changed."""
        self.parts.feed.wake(self.app.id)

    @asynccontextmanager
    async def person(self, identity: str, *, hidden: bool = False) -> AsyncGenerator[Watcher]:
        """A participant in the camera's room."""
        app = await self.parts.database.read(lambda tx: app_by_slug(tx, APP))
        assert app is not None
        grant = decide(app, JoinRequest(self.room, identity, hidden=hidden))
        url = self.livekit.url.replace("http", "ws", 1)
        async with watching(url, mint(self.parts.gateway.endpoint, grant)) as watcher:
            yield watcher

    async def bridged(self, *, wanted: bool = True) -> None:
        async def look() -> bool:
            return self.bridges.is_bridged(self.room) is wanted

        await eventually(look)

    async def people(self) -> set[str]:
        """Who is in the room, as Stagedoor knows."""
        found = await self.parts.database.read(lambda tx: participants_store.present(tx, [self.room]))
        return {identity for _, _, identity in found}

    async def until_people_are(self, *wanted: str) -> None:
        async def look() -> bool:
            return await self.people() == set(wanted)

        await eventually(look)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    [port] = free_ports(1)
    livekit = ExternalLiveKit(tmp_path, f"http://127.0.0.1:{port}/webhooks/livekit", {"room": {"departure_timeout": 1}})
    await asyncio.to_thread(livekit.start)
    flags = {
        "data_dir": tmp_path / "data",
        "http": f"127.0.0.1:{port}",
        "livekit_api_host": livekit.url,
        "livekit_api_key": KEY,
        "livekit_api_secret": SECRET,
    }
    settings = resolve(flags, {}).settings
    data = DataFolder(settings.data_dir)
    secrets = data.secrets()
    await migrate(data.database)
    database = await open_database(data.database)
    await database.write(make_first)
    parts = make_services(settings, secrets, lay_out(settings, secrets), database, "operator", lambda: None)
    http = HttpServer(settings)
    await http.start(build(parts, []))
    app = await database.read(lambda tx: app_by_slug(tx, APP))
    assert app is not None
    tickets = JoinTokens(parts.database, parts.gateway, parts.issuer)
    bridges = Bridges(
        database, parts.feed, parts.senders, tickets, linger_seconds=LINGER_SECONDS, reconnect_seconds=LINGER_SECONDS
    )
    work = [asyncio.create_task(part.run()) for part in (bridges, parts.applier, parts.ban_enforcer)]
    try:
        yield Stage(parts, livekit, app, bridges)
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await http.stop()
        await parts.gateway.close()
        await parts.sender.close()
        await database.close()
        livekit.kill()


def children() -> list[int]:
    """The processes that bridge for this one."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == os.getpid() and b"stagedoor.outputs.webrtc.child" in words:
                found.append(int(entry.name))
    return found


def restarts() -> float:
    return REGISTRY.get_sample_value("stagedoor_camera_bridge_restarts_total") or 0.0


async def none_left() -> None:
    async def look() -> bool:
        return not await asyncio.to_thread(children)

    await eventually(look)


@pytest.mark.parametrize("hidden", [False, True])
async def test_on_demand_it_comes_with_the_first_and_goes_after_the_last(stage: Stage, hidden: bool) -> None:
    async with stage.camera("demand"):
        async with stage.person("ann", hidden=hidden) as ann:
            await ann.until(lambda picture: picture.is_of(160, 120, BLUE), count=3)
            await stage.bridged()
            camera = ann.room.remote_participants["door-cam"]
            assert (camera.name, camera.attributes) == ("Front door", {"stagedoor.source": "camera"})
            await stage.until_people_are("ann", "door-cam")
        await stage.bridged(wanted=False)
        await none_left()
        await stage.until_people_are()
        async with stage.person("bob", hidden=hidden) as bob:
            await bob.until(lambda picture: picture.is_of(160, 120, BLUE))


async def test_always_it_is_there_while_the_camera_sends(stage: Stage) -> None:
    async with stage.camera("always"):
        await stage.bridged()
        await stage.until_people_are("door-cam")
    await stage.bridged(wanted=False)
    await none_left()


async def test_off_it_stays_out(stage: Stage) -> None:
    async with stage.camera("off"), stage.person("ann"):
        await stage.until_people_are("ann")
        stage.wake()
        async with stage.person("bob"):
            await stage.until_people_are("ann", "bob")
            assert not children()


async def test_an_empty_room_needs_no_bridge(stage: Stage) -> None:
    async with stage.camera("demand"):
        stage.wake()
        async with stage.person("ann"):
            await stage.bridged()
        await stage.bridged(wanted=False)
        await none_left()
    assert not stage.bridges.is_bridged(stage.room)


async def test_a_killed_bridge_comes_back(stage: Stage) -> None:
    before = restarts()
    async with stage.camera("demand"), stage.person("ann") as ann:
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE))
        [pid] = await asyncio.to_thread(children)
        os.kill(pid, signal.SIGKILL)
        await stage.bridged(wanted=False)
        await stage.bridged()
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE), count=3)
        assert restarts() == before + 1


async def test_a_camera_that_was_removed_stays_away_until_it_connects_again(stage: Stage) -> None:
    before = restarts()
    async with stage.camera("always"), stage.person("ann") as ann:
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE))
        await stage.parts.gateway.remove_participant(stage.room, "door-cam")
        await none_left()
        async with stage.person("bob"):
            await stage.until_people_are("ann", "bob")
            stage.wake()
        await stage.until_people_are("ann")
        assert not children()
        assert restarts() == before, "it is about to come back"
        stage.connect("always")
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE))


async def test_a_banned_camera_does_not_come_back_when_it_connects_again(stage: Stage) -> None:
    async with stage.camera("demand"), stage.person("ann"):
        await stage.bridged()
        bans = stage.parts.bans
        await stage.parts.database.write(lambda tx: bans.ban(tx, stage.app.id, stage.room, "door-cam", 3600))
        await stage.parts.gateway.remove_participant(stage.room, "door-cam")
        await none_left()
        stage.connect("demand")
        async with stage.person("bob"):
            await stage.until_people_are("ann", "bob")
            assert not children()
        await stage.parts.database.write(lambda tx: bans.lift(tx, stage.room))
        await stage.bridged()


async def test_a_camera_that_connects_again_at_once_keeps_its_bridge(stage: Stage) -> None:
    async with stage.camera("demand"), stage.person("ann") as ann:
        await stage.bridged()
        before = await asyncio.to_thread(children)
        stage.connect("demand")
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE), count=5)
        assert await asyncio.to_thread(children) == before


async def test_a_camera_that_is_lost_and_connects_again_keeps_its_track(stage: Stage) -> None:
    stage.bridges._reconnect = 29  # pyright: ignore[reportPrivateUsage]
    async with stage.camera("always"), stage.person("ann") as ann:
        await ann.until(lambda picture: picture.is_of(160, 120, BLUE))
        flaps: list[object] = []

        def flap(*track: object) -> None:
            flaps.append(track)

        ann.room.on("track_unsubscribed", flap)
        before = await asyncio.to_thread(children)
        for number in range(3):
            stage.connections.close()
            async with stage.person(f"bob-{number}"):  # by then the supervisor has looked
                await stage.until_people_are("ann", "door-cam", f"bob-{number}")
            stage.connect("always")
            await ann.until(lambda picture: picture.is_of(160, 120, BLUE), count=5)
        assert await asyncio.to_thread(children) == before
        assert not flaps


async def test_a_camera_that_is_disabled_leaves_at_once(stage: Stage) -> None:
    stage.bridges._reconnect = 29  # pyright: ignore[reportPrivateUsage]
    async with stage.camera("always"):
        await stage.bridged()
        [sender] = stage.parts.senders.current()
        sender.close(REVOKED)
        stage.connections.close()
        await none_left()


async def test_a_participant_with_the_cameras_identity_stays_in_the_room(stage: Stage) -> None:
    async with stage.person("door-cam") as namesake:
        async with stage.camera("always"):
            await eventually_refused(stage)
            assert not stage.bridges.is_bridged(stage.room)
        assert namesake.room.isconnected()


async def test_a_namesake_that_claims_to_be_the_camera_stays_in_the_room(stage: Stage) -> None:
    async with stage.person("door-cam") as namesake:
        may = Permissions(can_update_metadata=True)
        await stage.parts.gateway.update_participant(stage.room, "door-cam", permissions=may)
        await namesake.room.local_participant.set_attributes({"stagedoor.source": "camera"})

        async def claimed() -> bool:
            found = await stage.parts.gateway.participant(stage.room, "door-cam")
            return found.attributes == {"stagedoor.source": "camera"}

        await eventually(claimed)
        async with stage.camera("always"):
            await eventually_refused(stage)
        assert namesake.room.isconnected()


async def eventually_refused(stage: Stage) -> None:
    """Return when the supervisor has tried to start a bridge, and was refused."""
    tickets = stage.bridges._join_tokens  # pyright: ignore[reportPrivateUsage]
    [sender] = stage.parts.senders.current()
    with pytest.raises(NotReady):
        await tickets.order(sender)
