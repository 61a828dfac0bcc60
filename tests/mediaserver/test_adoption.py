"""A LiveKit that outlived its Stagedoor is found again; one that is not ours is left alone."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from livekit import api
from livekit.protocol.room import CreateRoomRequest, ListRoomsRequest

from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.adoption import mark_stopping
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.probe import local_url
from stagedoor.mediaserver.state import Record, StateFolder
from stagedoor.processes.procinfo import inspect
from tests.mediaserver.livekit_harness import Heard, MakeManaged

# A Stagedoor in a process of its own: starts LiveKit, says which process it is, and waits to be killed.
_STAGEDOOR = """
import asyncio, pickle, sys
from pathlib import Path
from stagedoor.mediaserver.supervisor import ManagedLiveKit

async def main():
    binary, config, folder = pickle.load(sys.stdin.buffer)
    livekit = ManagedLiveKit(
        binary, config, folder, on_lost=lambda at: None, on_ready=lambda at, again: None
    )
    started = await livekit.start()
    print("PID", started.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def left_behind(livekit_binary: Path, config: ManagedConfig, state_dir: Path) -> int:
    """The id of the LiveKit that a Stagedoor left when it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STAGEDOOR, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdin.write(pickle.dumps((livekit_binary, config, state_dir)))
    process.stdin.close()
    pid = None
    async for line in process.stdout:
        if line.startswith(b"PID "):
            pid = int(line.split()[1])
            break
    process.kill()
    await process.wait()
    assert pid is not None
    return pid


async def test_the_same_process_goes_on_with_its_rooms(
    left_behind: int, managed: MakeManaged, config: ManagedConfig, heard: Heard
) -> None:
    async with api.LiveKitAPI(local_url(config), config.api_key, config.api_secret) as client:
        made = await client.room.create_room(CreateRoomRequest(name="r"))
        livekit = managed()
        started = await livekit.start()
        assert started.adopted
        assert started.pid == left_behind
        assert livekit.status.started_at_ms is not None
        assert livekit.status.started_at_ms < heard.ready[0][0]
        listed = await client.room.list_rooms(ListRoomsRequest())
        assert [room.sid for room in listed.rooms] == [made.sid]
    await livekit.stop()
    assert (await asyncio.to_thread(inspect, left_behind)) is None


async def test_an_adopted_one_is_watched_like_our_own(left_behind: int, managed: MakeManaged, heard: Heard) -> None:
    livekit = managed()
    assert (await livekit.start()).adopted
    os.kill(left_behind, signal.SIGKILL)
    async with asyncio.timeout(20):
        while len(heard.ready) < 2:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)
    assert len(heard.lost) == 1
    assert livekit.status.last_exit is None  # init reaped it, not we
    assert livekit.status.pid != left_behind


async def test_leaving_it_on_purpose_is_the_same(managed: MakeManaged) -> None:
    first = managed()
    started = await first.start()
    await first.leave()
    assert (await asyncio.to_thread(inspect, started.pid)) is not None
    again = await managed().start()
    assert again.adopted
    assert again.pid == started.pid


async def test_killed_before_the_id_was_written_it_is_found_by_its_command_line(
    left_behind: int, managed: MakeManaged, state_dir: Path
) -> None:
    folder = StateFolder(state_dir)
    record = await asyncio.to_thread(folder.read)
    assert record is not None
    await asyncio.to_thread(folder.write, msgspec.structs.replace(record, pid=0, started_ticks=0, boot_id=""))
    started = await managed().start()
    assert started.adopted
    assert started.pid == left_behind
    known = await asyncio.to_thread(folder.read)
    assert known is not None
    assert known.pid == left_behind


async def test_with_another_configuration_it_is_replaced(
    left_behind: int, managed: MakeManaged, config: ManagedConfig
) -> None:
    started = await managed(config=replace(config, webhook_urls=("http://127.0.0.1:9/hook",))).start()
    assert not started.adopted
    assert (await asyncio.to_thread(inspect, left_behind)) is None


async def test_one_whose_record_is_lost_is_replaced(left_behind: int, managed: MakeManaged, state_dir: Path) -> None:
    (await asyncio.to_thread(StateFolder(state_dir).forget))
    started = await managed().start()
    assert not started.adopted
    assert (await asyncio.to_thread(inspect, left_behind)) is None


async def test_a_livekit_that_is_stopping_is_replaced(left_behind: int, managed: MakeManaged, state_dir: Path) -> None:
    await asyncio.to_thread(mark_stopping, StateFolder(state_dir))
    started = await managed().start()
    assert not started.adopted
    assert (await asyncio.to_thread(inspect, left_behind)) is None


async def test_a_strangers_process_under_the_recorded_id_is_left_alone(
    managed: MakeManaged, state_dir: Path, livekit_binary: Path
) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    info = await asyncio.to_thread(inspect, stranger.pid)
    assert info is not None
    folder = StateFolder(state_dir)
    (await asyncio.to_thread(folder.make))
    record = Record(
        config="",
        binary=str(livekit_binary),
        started_at_ms=1,
        pid=info.pid,
        started_ticks=info.started_ticks,
        boot_id=info.boot_id,
    )
    await asyncio.to_thread(folder.write, record)
    started = await managed().start()
    assert not started.adopted
    assert stranger.returncode is None
    assert (await asyncio.to_thread(inspect, stranger.pid)) == info
    stranger.kill()
    await stranger.wait()


async def test_a_foreign_livekit_on_our_port_is_named_and_left_alone(
    left_behind: int, managed: MakeManaged, state_dir: Path
) -> None:
    with pytest.raises(OperatorError, match=rf"process {left_behind}\); .* --livekit-port") as caught:
        await managed(folder=state_dir.with_name("another")).start()
    assert "\n" not in str(caught.value)
    assert (await asyncio.to_thread(inspect, left_behind)) is not None
