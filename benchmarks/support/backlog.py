"""A program that stores a backlog of events, applies it as Stagedoor's worker does, and prints how long that took."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import func, select

from benchmarks.support import events
from stagedoor.app.firstrun import make_first
from stagedoor.app.reactions import reactions
from stagedoor.events.feed import Feed
from stagedoor.inbox.applier import Applier
from stagedoor.inbox.redact import redact
from stagedoor.inbox.store import inbox, intake
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.livekit_event import decode_event
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.storage import Database, migrate, open_database

_NOWHERE = "http://127.0.0.1:9"


async def _main(folder: Path, rooms: int) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'backlog.db'}"
    await migrate(url)
    database = await open_database(url)
    await database.write(make_first)
    await _store(database, events.lives(rooms))
    gateway = LiveKitGateway(Endpoint(_NOWHERE, _NOWHERE, "APIbench", "a-secret-that-is-never-used-here"))
    queue = Queue()
    feed = Feed(database, reactions=reactions(queue))
    applier = Applier(database, feed, queue, BanEnforcer(database, gateway, feed))
    began, used = time.perf_counter(), time.process_time()
    await applier.drain()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    states = await database.read(
        lambda tx: {row[0]: row[1] for row in tx.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))}
    )
    written = await database.read(
        lambda tx: sum(
            tx.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in inbox.metadata.tables.items()
            if name in {"events", "rooms", "sessions", "participants", "tracks"}
        )
    )
    await gateway.close()
    await database.close()
    if set(states) != {"applied"}:
        raise RuntimeError(f"not every event was applied: {states}")
    return {"events": states["applied"], "seconds": seconds, "cpu": cpu, "written": written}


async def _store(database: Database, bodies: list[bytes]) -> None:
    lane = intake(database)
    rows: list[tuple[Any, ...]] = []
    for content in bodies:
        event = decode_event(content)
        rows.append(
            (
                event.id,
                event.event,
                event.room_name,
                now_ms(),
                "APIbench",
                "jwt",
                redact(content),
                None,
                "pending",
                0,
                None,
            )
        )
    for start in range(0, len(rows), 1000):
        await asyncio.gather(*(lane.insert(row) for row in rows[start : start + 1000]))


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_main(Path(sys.argv[1]), int(sys.argv[2])))))
