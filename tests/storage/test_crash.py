"""A process that is killed under load has stored everything that it acknowledged."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw

from stagedoor.storage import open_database
from tests.storage.tables import add, create, names, note

ACKNOWLEDGED_BYTES = 10_000
"""Of names of about six bytes: more than five hundred writes have returned by then, and others are under way."""
ROOT = Path(__file__).parents[2]


async def acknowledge_until_killed(url: str) -> None:
    """What the killed process runs: it prints a name once the write has returned."""
    database = await open_database(url)
    bulk = database.bulk(note, "name", columns=["name", "raw"])

    async def caller(number: int) -> None:
        step = 0
        while True:
            step += 1
            name = f"{number}.{step}"
            if number % 4:
                assert await bulk.insert((name, b"x" * 700))
            else:
                await database.write(lambda tx, name=name: add(tx, name))
            print(name, flush=True)

    await asyncio.gather(*[caller(number) for number in range(32)])


async def test_kill_9_under_load_loses_nothing_acknowledged(url: str, tmp_path: Path) -> None:
    database = await open_database(url)
    await database.write(create)
    for run in range(2):
        output = tmp_path / f"acknowledged.{run}"
        await asyncio.to_thread(_run_and_kill, url, output)
        # A line that the kill cut short was acknowledged, but cannot be distinguished from another.
        acknowledged = {line for line in output.read_text().split("\n")[:-1] if line}
        assert len(acknowledged) > 500
        stored = set(await database.read(names))
        assert acknowledged <= stored
        await database.write(lambda tx: tx.execute(note.delete()))
    await database.close()
    if url.startswith("sqlite"):
        connection: Any = apsw.Connection(url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def _run_and_kill(url: str, output: Path) -> None:
    with output.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-m", __spec__.name, url], stdout=stdout, cwd=ROOT)
        deadline = time.monotonic() + 60
        while output.stat().st_size < ACKNOWLEDGED_BYTES and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


if __name__ == "__main__":
    asyncio.run(acknowledge_until_killed(sys.argv[1]))
