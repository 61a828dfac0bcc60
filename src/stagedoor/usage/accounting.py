"""Recording what a session used: any number of times, with the same result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stagedoor.storage import Transaction
from stagedoor.usage import store
from stagedoor.usage.meters import Amounts, Span, by_hour


def record(tx: Transaction, app_id: str, session_id: str, spans: Sequence[Span]) -> None:
    """Record what the session used so far, and what that changes for its app; what was added to it stays."""
    before = store.hours_of_session(tx, session_id)
    after = by_hour(spans)
    for hour, amounts in before.items():
        if amounts.added != Amounts():
            after[hour] = after.get(hour, Amounts()) + amounts.added
    changes = {
        hour: change
        for hour in before.keys() | after.keys()
        if (change := after.get(hour, Amounts()) - before.get(hour, Amounts())) != Amounts()
    }
    if changes:
        store.replace_hours(tx, app_id, session_id, after)
        store.add_to_app(tx, app_id, changes)


def add(
    tx: Transaction, app_id: str, hours: Mapping[int, Amounts], sessions: Mapping[str, Mapping[int, Amounts]]
) -> None:
    """Add to what an app used; of that, to what some of its sessions used."""
    store.add_to_app(tx, app_id, hours)
    for session_id, part in sessions.items():
        store.add_to_session(tx, app_id, session_id, part)


def added(tx: Transaction, session_id: str) -> Amounts:
    """What was added to the session so far."""
    return sum(store.hours_of_session(tx, session_id).values(), Amounts()).added
