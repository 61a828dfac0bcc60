"""Detached processes: started, watched by pidfd or by asking, signalled, ended in steps."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from stagedoor.processes import stopping
from stagedoor.processes.child import Child, spawn_detached
from stagedoor.processes.procinfo import inspect

Spawn = Callable[[str], Awaitable[Child]]


@pytest.fixture(params=["pidfd", "asking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "asking":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


@pytest.fixture
async def spawn(way: str, tmp_path: Path) -> AsyncGenerator[Spawn]:
    """Runs a shell script whose output goes to `log`."""
    made: list[Child] = []

    async def start(script: str) -> Child:
        argv = ["/bin/sh", "-c", script]
        pid = await asyncio.to_thread(spawn_detached, argv, tmp_path / "log", env={"A": "b"}, cwd=tmp_path)
        made.append(Child.watch(pid))
        return made[-1]

    yield start
    for child in made:
        child.send(signal.SIGKILL)
        await child.wait()
        child.close()


async def test_its_exit_code_and_output_are_known(spawn: Spawn, tmp_path: Path) -> None:
    child = await spawn("echo $A $0; pwd; echo err >&2; exit 7")
    assert await child.wait() == 7
    assert child.ended
    assert (tmp_path / "log").read_text() == f"b /bin/sh\n{tmp_path}\nerr\n"
    with pytest.raises(ProcessLookupError):  # it was reaped: a zombie can still be signalled
        os.kill(child.pid, 0)


async def test_the_signal_that_ended_it_is_known(spawn: Spawn) -> None:
    child = await spawn("exec /bin/sleep 60")
    child.send(signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM
    child.send(signal.SIGKILL)  # to no process, even if another has the id now


async def test_several_may_wait(spawn: Spawn) -> None:
    child = await spawn("exit 3")
    assert await asyncio.gather(child.wait(), child.wait()) == [3, 3]
    assert await child.wait() == 3


async def test_it_has_a_session_of_its_own(spawn: Spawn) -> None:
    child = await spawn("exec /bin/sleep 60")
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


async def test_one_that_is_not_our_child_is_watched_too(way: str, tmp_path: Path) -> None:
    # The shell in between ends, so that its child gets another parent.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    parent = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f"/bin/sleep 60 & echo $! > {fifo}", stdout=asyncio.subprocess.DEVNULL
    )
    pid = int(await asyncio.to_thread(fifo.read_text))
    await parent.wait()
    child = Child.watch(pid)
    assert not child.ended
    child.send(signal.SIGKILL)
    assert await child.wait() is None
    child.close()


async def test_a_process_that_is_gone_cannot_be_watched(spawn: Spawn, way: str) -> None:
    child = await spawn("exit 0")
    await child.wait()
    if way == "pidfd":
        with pytest.raises(ProcessLookupError):
            Child.watch(child.pid)
    else:
        again = Child.watch(child.pid)
        assert await again.wait() is None
        again.close()


async def test_closing_lets_it_run(spawn: Spawn) -> None:
    child = await spawn("exec /bin/sleep 60")
    second = Child.watch(child.pid)
    second.close()
    assert await asyncio.to_thread(inspect, child.pid) is not None


async def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await asyncio.to_thread(spawn_detached, [str(tmp_path / "none")], tmp_path / "log", env={}, cwd=tmp_path)


async def test_stopping_takes_the_next_step_only_when_needed(spawn: Spawn) -> None:
    child = await spawn("exec /bin/sleep 60")
    assert await stopping.stop(child, [stopping.Step(signal.SIGTERM, 30)]) == -signal.SIGTERM


async def test_one_that_hears_nothing_is_killed(spawn: Spawn, tmp_path: Path) -> None:
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    child = await spawn(f"trap '' TERM; echo > {fifo}; while :; do /bin/sleep 1; done")
    await asyncio.to_thread(fifo.read_text)
    steps = [stopping.Step(signal.SIGTERM, 0.05), stopping.Step(signal.SIGTERM, 0.05)]
    assert await stopping.stop(child, steps) == -signal.SIGKILL


async def test_the_second_signal_can_be_the_one_that_counts(spawn: Spawn, tmp_path: Path) -> None:
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    child = await spawn(
        f"n=0; trap 'n=$((n+1)); [ $n = 2 ] && exit 5' TERM; echo > {fifo}; while :; do /bin/sleep 0.05; done"
    )
    await asyncio.to_thread(fifo.read_text)
    steps = [stopping.Step(signal.SIGTERM, 0.3), stopping.Step(signal.SIGTERM, 30)]
    assert await stopping.stop(child, steps) == 5
