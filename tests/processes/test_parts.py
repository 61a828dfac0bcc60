"""The small parts of supervision: back-off, locks, logs, ports, process identity, helpers, private files."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.secretfile import write_private
from stagedoor.processes import logfile
from stagedoor.processes.backoff import Backoff
from stagedoor.processes.command import run
from stagedoor.processes.filelock import FileLock, held
from stagedoor.processes.ports import is_free, owner
from stagedoor.processes.procinfo import inspect, running_with


def test_backoff_doubles_to_its_ceiling_and_begins_again_after_a_long_life() -> None:
    backoff = Backoff()
    assert [backoff.after(1) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.after(60) == 0.5
    assert backoff.after(59.9) == 1


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_backoff_stays_between_first_and_ceiling(lives: list[float]) -> None:
    backoff = Backoff()
    assert all(0.5 <= backoff.after(lived) <= 30 for lived in lives)


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()
    second.release()


async def test_a_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from stagedoor.processes.filelock import FileLock;"
        "lock = FileLock(Path(sys.argv[1])); assert lock.try_acquire();"
        "print('held', flush=True); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "lock"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    waited: list[float] = []

    def waiting(seconds: float) -> None:
        if not waited:
            process.kill()
        waited.append(seconds)

    async with held(tmp_path / "lock", waiting):
        assert waited
    await process.wait()


def test_a_log_that_outgrew_its_limit_moves_on_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        assert not logfile.bound(log, 100)
        writer.write(b"b\n")
        assert logfile.bound(log, 100)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    older = tmp_path / "log.1"
    assert older.read_bytes() == b"a" * 100 + b"b\n"
    assert stat.S_IMODE(older.stat().st_mode) == 0o600


def test_what_was_written_since(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert logfile.written_since(log, 0) == ""
    log.write_text("before\n")
    offset = logfile.size(log)
    with log.open("a") as file:
        file.write("after\n")
    assert logfile.written_since(log, offset) == "after\n"
    assert logfile.written_since(log, 0, limit_bytes=3) == "er\n"
    log.write_text("new\n")  # shorter than the offset: it was truncated since
    assert logfile.written_since(log, offset) == "new\n"


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_private_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError):
        write_private(path, "new")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_port_in_use_is_seen_and_its_owner_named() -> None:
    with socket.socket() as server, socket.socket(type=socket.SOCK_DGRAM) as peer:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        assert not is_free("tcp", "127.0.0.1", port)
        assert not is_free("tcp", "::", port)
        assert f"(process {os.getpid()})" in str(owner("tcp", port))
        peer.bind(("127.0.0.1", 0))
        assert not is_free("udp", "0.0.0.0", peer.getsockname()[1])
        assert f"(process {os.getpid()})" in str(owner("udp", peer.getsockname()[1]))
    assert is_free("tcp", "127.0.0.1", port)
    assert owner("tcp", port) is None


def test_a_process_is_known_by_more_than_its_id() -> None:
    me = inspect(os.getpid())
    assert me is not None
    assert me.is_same(os.getpid(), me.started_ticks, me.boot_id)
    assert not me.is_same(os.getpid(), me.started_ticks + 1, me.boot_id)
    assert not me.is_same(os.getpid(), me.started_ticks, "another boot")
    assert me.executable == os.path.realpath(sys.executable)
    assert inspect(2**22 + 1) is None


async def test_a_process_is_found_by_its_last_arguments(tmp_path: Path) -> None:
    mark = str(tmp_path)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "read line", "sh", "--mark", mark, stdin=asyncio.subprocess.PIPE
    )
    (found,) = await asyncio.to_thread(running_with, ("--mark", mark))
    assert found.pid == process.pid
    process.kill()
    while (await asyncio.to_thread(inspect, process.pid)) is not None:  # noqa: ASYNC110 - until the kernel has ended it, reaped or not
        await asyncio.sleep(0)
    assert (await asyncio.to_thread(running_with, ("--mark", mark))) == []
    await process.wait()


async def test_a_helpers_lines_are_passed_on_and_kept() -> None:
    told: list[str] = []
    done = await run(["sh", "-c", "echo one; echo two >&2; echo; exit 3"], on_line=told.append)
    assert done.exit_code == 3
    assert told == ["one", "two", ""]
    assert done.last_line() == "two"
    assert (await run(["sh", "-c", "exit 4"])).last_line() == "exit code 4"


async def test_a_helper_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pids = asyncio.create_task(asyncio.to_thread(fifo.read_text))
    with pytest.raises(TimeoutError):
        await run(["sh", "-c", f"sleep 60 & echo $$ $! > {fifo}; wait"], timeout_seconds=0.5)
    for pid in map(int, (await pids).split()):
        while (await asyncio.to_thread(inspect, pid)) is not None:  # noqa: ASYNC110 - init reaps the child
            await asyncio.sleep(0)
