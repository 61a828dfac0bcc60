"""A child process with streams to its input and output: lines both ways, and every way it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from stagedoor.processes.piped import Piped, start_piped

_ECHO = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"


async def started(script: str, *, line_limit: int = 1 << 16) -> Piped:
    return await start_piped([sys.executable, "-c", script], {}, line_limit=line_limit)


async def test_lines_go_both_ways_and_the_end_of_its_input_ends_it() -> None:
    process = await started(_ECHO)
    process.stdin.write(b"one\ntwo\n")
    assert [await process.stdout.readline(), await process.stdout.readline()] == [b"ONE\n", b"TWO\n"]
    assert await process.end(60) == 0
    assert await process.stdout.read() == b""


async def test_what_it_wrote_before_it_was_killed_is_read_and_then_the_end() -> None:
    process = await started("import sys; print('last words', flush=True); sys.stdin.read()")
    assert await process.stdout.readline() == b"last words\n"
    process.kill()
    assert await process.stdout.read() == b""
    assert await process.child.wait() == -signal.SIGKILL
    process.close()


async def test_a_process_that_does_not_end_with_its_input_is_killed() -> None:
    process = await started("import time; time.sleep(600)")
    assert await process.end(0.01) == -signal.SIGKILL


async def test_writing_to_a_process_that_is_gone_is_an_error_and_does_not_wait() -> None:
    process = await started("")
    assert await process.child.wait() == 0

    async def write() -> None:
        while True:
            process.stdin.write(bytes(1 << 16))
            await process.stdin.drain()

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        await write()
    process.close()


async def test_a_line_over_the_limit_is_an_error() -> None:
    process = await started("print('x' * 100_000)", line_limit=1_000)
    with pytest.raises(ValueError, match="limit"):
        await process.stdout.readline()
    await process.end(60)


async def test_no_descriptor_is_left_whether_it_started_or_not() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    await (await started("")).end(60)  # what the loop and its threads keep is there
    await asyncio.sleep(0)
    before = descriptors()
    for _ in range(5):
        await (await started(_ECHO)).end(60)
        with pytest.raises(FileNotFoundError):
            await start_piped(["/no/such/program"], {}, line_limit=1_000)
    await asyncio.sleep(0)  # transports close in the loop's next turn
    assert descriptors() == before
