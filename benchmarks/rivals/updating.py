"""The same database, driver and durability: rows inserted and then updated, without a queue: `… URL COUNT AT_ONCE`.

On SQLite so many rows are in a commit, on PostgreSQL so many connections write at a time: what each engine gains by is
what Stagedoor gains by too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop

from stagedoor.storage.sqlite import dbapi

_PAYLOAD: Final = '{"number": 1}'
_TABLE: Final = (
    "CREATE TABLE job (seq {} PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, payload TEXT NOT NULL)"
)


def _sqlite(path: Path, count: int, at_once: int) -> dict[str, float]:
    path.touch()
    connection = dbapi.connect(path, mode="write")
    connection.run(_TABLE.format("INTEGER"))
    began, used = time.perf_counter(), time.process_time()
    for start in range(0, count, at_once):
        numbers = range(start, min(start + at_once, count))
        connection.begin()
        rows = [(f"job_{number}", "queued", _PAYLOAD) for number in numbers]
        connection.cursor().executemany("INSERT INTO job (id, state, payload) VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.begin()
        ends = [("done", f"job_{number}") for number in numbers]
        connection.cursor().executemany("UPDATE job SET state = ? WHERE id = ?", ends)
        connection.commit()
    taken = _taken(count, began, used)
    connection.close()
    return taken


async def _postgres(url: str, count: int, at_once: int) -> dict[str, float]:
    untyped: Any = asyncpg
    connections: list[Any] = [await untyped.connect(url) for _ in range(at_once)]
    await connections[0].execute(_TABLE.format("BIGSERIAL"))

    async def write(connection: Any, first: int) -> None:
        for number in range(first, count, at_once):
            one = f"job_{number}"
            await connection.execute("INSERT INTO job (id, state, payload) VALUES ($1, 'queued', $2)", one, _PAYLOAD)
            await connection.execute("UPDATE job SET state = 'done' WHERE id = $1", one)

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(write(connection, first) for first, connection in enumerate(connections)))
    taken = _taken(count, began, used)
    for connection in connections:
        await connection.close()
    return taken


def _taken(count: int, began: float, used: float) -> dict[str, float]:
    return {"jobs": count, "seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


def _main(url: str, count: int, at_once: int) -> dict[str, float]:
    if url.startswith("sqlite:///"):
        return _sqlite(Path(url.removeprefix("sqlite:///")), count, at_once)
    return uvloop.run(_postgres(url, count, at_once))


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
