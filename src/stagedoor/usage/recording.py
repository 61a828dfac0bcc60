"""Recording what a session used: as often as one likes, with the same result."""

from __future__ import annotations

from collections.abc import Sequence

from stagedoor.storage import Transaction
from stagedoor.usage import store
from stagedoor.usage.meters import Amounts, Span, by_hour


def record(tx: Transaction, app_id: str, session_id: str, spans: Sequence[Span]) -> None:
    """Record what the session used so far, and what that changes for its app."""
    after = by_hour(spans)
    before = store.hours_of_session(tx, session_id)
    changes = {
        hour: change
        for hour in before.keys() | after.keys()
        if (change := after.get(hour, Amounts()) - before.get(hour, Amounts())) != Amounts()
    }
    if changes:
        store.replace_hours(tx, app_id, session_id, after)
        store.add_to_app(tx, app_id, changes)
