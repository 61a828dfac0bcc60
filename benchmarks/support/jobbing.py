"""A program that asks for jobs, one in a transaction, and works on them meanwhile; prints how long that took.

`… URL COUNT`, of an empty database.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final

import uvloop

from stagedoor.jobs import operator_store
from stagedoor.jobs.nouns import UNFINISHED, Job, JobKind, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.worker import Worker
from stagedoor.storage import migrate, open_database

CALLERS: Final = 64
"""As many as a worker has places for jobs of this kind."""

_LONGEST_SECONDS: Final = 300.0


async def _main(url: str, count: int) -> dict[str, Any]:
    await migrate(url)
    database = await open_database(url)
    queue = Queue()
    done = 0

    async def nothing(_: Job) -> None:
        nonlocal done
        done += 1

    async def ask(number: int) -> None:
        for one in range(number, count, CALLERS):
            new = NewJob("bench.nothing", {"number": one})
            await database.write(lambda tx, new=new: queue.put(tx, new))

    worker = Worker(database, queue, [JobKind("bench.nothing", nothing, concurrency=CALLERS)])
    began, used = time.perf_counter(), time.process_time()
    working = asyncio.create_task(worker.run())
    await asyncio.gather(*(ask(number) for number in range(CALLERS)))
    asked = time.perf_counter() - began
    async with asyncio.timeout(_LONGEST_SECONDS):
        while done < count or worker.running:  # noqa: ASYNC110 - the end of a job is not an event that can be awaited
            await asyncio.sleep(0.001)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    left = await database.read(operator_store.depths)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await database.close()
    if done != count or any(state in UNFINISHED for _, state in left):
        raise RuntimeError(f"{done} jobs were done instead of {count}, and these are left: {left}")
    return {"jobs": count, "seconds": seconds, "asked": asked, "cpu": cpu}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_main(sys.argv[1], int(sys.argv[2])))))
