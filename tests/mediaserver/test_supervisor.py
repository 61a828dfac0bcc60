"""Starting, losing, restarting and stopping a real LiveKit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import structlog.testing
from livekit import api, rtc
from livekit.protocol.room import CreateRoomRequest

from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.probe import accepts_key, answers, local_url
from stagedoor.mediaserver.state import StateFolder
from stagedoor.mediaserver.supervisor import ManagedLiveKit
from stagedoor.mediaserver.watchdog import watch
from stagedoor.processes.child import Child
from stagedoor.processes.procinfo import inspect, open_files
from tests.mediaserver.livekit_harness import Heard, MakeManaged, join_token


async def test_starts_answers_and_stops(
    managed: MakeManaged, config: ManagedConfig, heard: Heard, state_dir: Path
) -> None:
    livekit = managed()
    started = await livekit.start()
    assert not started.adopted
    assert started.version == "1.13.5"
    assert livekit.status.state == "running"
    assert livekit.status.pid == started.pid
    assert [restarted for _, restarted in heard.ready] == [False]
    async with aiohttp.ClientSession() as http:
        assert await answers(http, local_url(config))
        assert await accepts_key(http, local_url(config), config.api_key, config.api_secret)
        assert not await accepts_key(http, local_url(config), config.api_key, "x" * 40)
        await livekit.stop()
        assert not await answers(http, local_url(config))
    assert livekit.status.state == "stopped"
    assert (await asyncio.to_thread(inspect, started.pid)) is None
    assert heard.lost == []
    assert not StateFolder(state_dir).record.exists()


async def test_its_files_are_private(managed: MakeManaged, state_dir: Path) -> None:
    await managed().start()
    folder = StateFolder(state_dir)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for path in (folder.config, folder.record, folder.log):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_livekit_inherits_no_descriptor(managed: MakeManaged) -> None:
    with socket.socket() as ours:
        ours.set_inheritable(True)
        started = await managed().start()
        link = os.readlink(f"/proc/self/fd/{ours.fileno()}")
        assert link in open_files(os.getpid())
        assert link not in open_files(started.pid)
    assert os.getsid(started.pid) == started.pid


async def test_our_own_livekit_variables_do_not_reach_it(
    managed: MakeManaged, config: ManagedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_CONFIG", "port: 1")
    monkeypatch.setenv("LIVEKIT_KEYS", "other: " + "y" * 40)
    monkeypatch.setenv("LIVEKIT_PORT", "1")
    monkeypatch.setenv("UDP_PORT", "1")
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1:1")
    await managed().start()
    async with aiohttp.ClientSession() as http:
        assert await accepts_key(http, local_url(config), config.api_key, config.api_secret)


async def test_killed_it_is_started_again(managed: MakeManaged, heard: Heard) -> None:
    livekit = managed()
    started = await livekit.start()
    for restart in (1, 2):
        pid = livekit.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(heard, restarts=restart)
        assert len(heard.lost) == restart
        assert livekit.status.state == "running"
        assert livekit.status.restarts == restart
        assert livekit.status.last_exit == -signal.SIGKILL
        assert livekit.status.pid not in {pid, started.pid}


async def test_a_livekit_stopped_from_outside_is_started_again_in_spite_of_exit_code_0(
    managed: MakeManaged, heard: Heard
) -> None:
    livekit = managed()
    started = await livekit.start()
    os.kill(started.pid, signal.SIGTERM)
    await until(heard, restarts=1)
    assert livekit.status.last_exit == 0


async def test_a_listener_that_fails_does_not_end_the_supervision(
    livekit_binary: Path, config: ManagedConfig, state_dir: Path
) -> None:
    again = asyncio.Event()

    def on_lost(at_ms: int) -> None:
        raise ValueError(at_ms)

    def on_ready(at_ms: int, restarted: bool) -> None:
        if restarted:
            again.set()
        raise ValueError(at_ms)

    livekit = ManagedLiveKit(livekit_binary, config, state_dir, on_lost=on_lost, on_ready=on_ready)
    with structlog.testing.capture_logs() as logged:
        started = await livekit.start()
        os.kill(started.pid, signal.SIGKILL)
        await again.wait()
        await livekit.stop()
    assert [entry["event"] for entry in logged].count("livekit_listener_failed") == 3


async def test_stopping_during_a_restart_leaves_nothing(managed: MakeManaged, heard: Heard, state_dir: Path) -> None:
    livekit = managed()
    started = await livekit.start()
    os.kill(started.pid, signal.SIGKILL)
    while not heard.lost:  # noqa: ASYNC110 - the callback only appends
        await asyncio.sleep(0)
    await livekit.stop()
    assert len(heard.ready) == 1
    assert (await asyncio.to_thread(StateFolder(state_dir).find, None)) is None


async def test_a_cancelled_start_leaves_nothing(managed: MakeManaged, state_dir: Path, config: ManagedConfig) -> None:
    folder = StateFolder(state_dir)
    livekit = managed()
    starting = asyncio.create_task(livekit.start())
    while (await asyncio.to_thread(folder.find, None)) is None:  # noqa: ASYNC110 - the process, not us, makes it true
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert (await asyncio.to_thread(folder.find, None)) is None
    assert not folder.record.exists()
    assert (await managed().start()).adopted is False


@pytest.mark.parametrize("steps", range(0, 24, 2))
async def test_a_start_cancelled_at_any_step_leaves_nothing(managed: MakeManaged, state_dir: Path, steps: int) -> None:
    # Steps of the loop: through making the folder, asking for the version, and starting the process.
    starting = asyncio.create_task(managed().start())
    for _ in range(steps):
        await asyncio.sleep(0.005)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    folder = StateFolder(state_dir)
    assert (await asyncio.to_thread(folder.find, None)) is None
    assert not folder.record.exists()


async def test_a_room_with_people_in_it_is_closed_before_the_end(
    managed: MakeManaged, config: ManagedConfig, state_dir: Path
) -> None:
    livekit = managed(grace=0.2)
    await livekit.start()
    room = rtc.Room()
    await room.connect(local_url(config), join_token(config, "r", "alice"))
    pid = livekit.status.pid
    assert pid is not None
    async with asyncio.timeout(5):  # LiveKit alone would wait for alice indefinitely
        await livekit.stop()
    assert (await asyncio.to_thread(inspect, pid)) is None
    # It closed the room itself, and was not killed. Whether alice still hears of it is a race in LiveKit, which
    # exits right after sending (pkg/service/server.go): clients must cope with both.
    log = await asyncio.to_thread(StateFolder(state_dir).log.read_text)
    assert '"msg":"room closed","room":"r"' in log
    await room.disconnect()


async def test_a_config_that_livekit_refuses_is_one_sentence_with_its_reason(
    managed: MakeManaged, config: ManagedConfig, state_dir: Path
) -> None:
    livekit = managed(config=replace(config, overrides={"rtc": {"no_such_key": 1}}))
    with pytest.raises(OperatorError, match=r"refused its configuration .*no_such_key.*; correct") as caught:
        await livekit.start()
    assert "\n" not in str(caught.value)
    assert (await asyncio.to_thread(StateFolder(state_dir).find, None)) is None
    # The reason is read from where this life begins: the next one does not inherit it.
    assert (await managed().start()).adopted is False


async def test_two_stagedoors_do_not_share_a_folder(managed: MakeManaged) -> None:
    await managed().start()
    with pytest.raises(OperatorError, match="Another Stagedoor supervises"):
        await managed().start()


async def test_one_that_hangs_is_killed(managed: MakeManaged, config: ManagedConfig, state_dir: Path) -> None:
    livekit = managed()
    started = await livekit.start()
    await livekit.leave()
    os.kill(started.pid, signal.SIGSTOP)
    child = Child.watch(started.pid)
    await watch(child, config, StateFolder(state_dir), every_seconds=0.05, hang_seconds=0.3, ask_seconds=0.1)
    await child.wait()
    child.close()


async def test_the_binary_must_be_a_livekit(managed: MakeManaged) -> None:
    with pytest.raises(OperatorError, match="is not a livekit-server"):
        await managed(binary=Path("/bin/true")).start()


async def test_rooms_can_be_made(managed: MakeManaged, config: ManagedConfig, state_dir: Path) -> None:
    await managed().start()
    async with api.LiveKitAPI(local_url(config), config.api_key, config.api_secret) as client:
        room = await client.room.create_room(CreateRoomRequest(name="r"))
        assert room.empty_timeout == 300
    lines = (state_dir / "livekit.log").read_text().splitlines()
    assert all(json.loads(line) for line in lines)


async def until(heard: Heard, *, restarts: int) -> None:
    async with asyncio.timeout(20):
        while sum(restarted for _, restarted in heard.ready) < restarts:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)
