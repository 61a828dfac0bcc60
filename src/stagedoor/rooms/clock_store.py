"""The statements that move the times of what is open, because the clock was set."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, case, select, update

from stagedoor.rooms.nouns import TimeSource
from stagedoor.rooms.participants_store import participants, tracks
from stagedoor.rooms.plans_store import plans
from stagedoor.rooms.store import sessions
from stagedoor.storage import Transaction


def adjust_times(tx: Transaction, until: int, by: int, sources: Collection[TimeSource]) -> None:
    """Move the times of what is open by `by` milliseconds, because the clock was set.

    Args:
        tx: The transaction.
        until: When the clock was set, by the clock before: what is later by more than a little is by another clock.
        by: Milliseconds; negative when the clock was set back.
        sources: Whose times are meant.
    """
    latest = until + _OTHER_CLOCK_MS
    living = select(sessions.c.id).where(sessions.c.state.in_(("created", "active"))).scalar_subquery()

    def moved(column: Column[int], source: Column[str] | None = None) -> Any:
        meant = column <= latest
        if source is not None:
            meant &= source.in_(sorted(sources))
        return case((meant, column + by), else_=column)

    tx.execute(update(plans).where(plans.c.session_id.in_(living)).values(wait_until=plans.c.wait_until + by))
    for table, starts, ends in (
        (tracks, tracks.c.published_at, tracks.c.unpublished_at),
        (participants, participants.c.joined_at, participants.c.left_at),
    ):
        values = {column.name: moved(column, table.c[f"{column.name}_source"]) for column in (starts, ends)} | {
            "changed_at": moved(table.c.changed_at)
        }
        tx.execute(update(table).where(table.c.session_id.in_(living)).values(values))
    tx.execute(
        update(sessions)
        .where(sessions.c.state.in_(("created", "active")))
        .values(
            started_at=moved(sessions.c.started_at, sessions.c.started_at_source),
            last_seen_at=moved(sessions.c.last_seen_at),
            changed_at=moved(sessions.c.changed_at),
        )
    )


_OTHER_CLOCK_MS = 60_000
