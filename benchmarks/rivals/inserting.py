"""The same SQLite, durable in the same way, inserting the same bodies and doing nothing with them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.support import events
from stagedoor.storage.sqlite import dbapi

_IN_A_COMMIT: Final = 100
"""As many as Stagedoor's worker applies in one transaction."""


def _main(folder: Path, rooms: int) -> dict[str, float]:
    path = folder / "inserting.db"
    path.touch()
    bodies = events.lives(rooms)
    connection = dbapi.connect(path, mode="write")
    connection.run("CREATE TABLE event (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL)")
    began, used = time.perf_counter(), time.process_time()
    for start in range(0, len(bodies), _IN_A_COMMIT):
        connection.begin()
        rows = [(f"EV_{start + place}", body) for place, body in enumerate(bodies[start : start + _IN_A_COMMIT])]
        connection.cursor().executemany("INSERT INTO event (id, body) VALUES (?, ?)", rows)
        connection.commit()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    connection.close()
    return {"rows": len(bodies), "seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    print(json.dumps(_main(Path(sys.argv[1]), int(sys.argv[2]))))
