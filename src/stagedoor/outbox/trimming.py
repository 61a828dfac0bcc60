"""The job that forgets the oldest deliveries of an endpoint that has more than are remembered."""

from __future__ import annotations

from typing import Final

from stagedoor.jobs.nouns import Job, JobKind
from stagedoor.outbox import delivery_store
from stagedoor.storage import Database

TRIM: Final = "webhook.trim"
_EVERY_SECONDS: Final = 300.0
_BATCH_SIZE: Final = 500


def trim_kind(database: Database, most: int) -> JobKind:
    """The kind of job that trims.

    Args:
        database: Where deliveries are.
        most: How many of each endpoint are remembered that are over. Those that wait are bounded by themselves.
    """

    async def handle(_: Job) -> None:
        for endpoint_id in await database.read(delivery_store.endpoints_with_deliveries):
            last = await database.read(lambda tx, one=endpoint_id: delivery_store.last_to_forget(tx, one, most))
            if last is None:
                continue
            while (
                await database.write(
                    lambda tx, one=endpoint_id, last=last: delivery_store.delete_deliveries_until(
                        tx, one, last, _BATCH_SIZE
                    )
                )
                == _BATCH_SIZE
            ):
                pass

    return JobKind(TRIM, handle, every_seconds=_EVERY_SECONDS, timeout_seconds=3600)
