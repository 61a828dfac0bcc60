"""Admits a publication of an ingress: one at a time on all nodes, and so many of an app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.events.feed import Feed
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Forbidden, Problem, TooMany
from stagedoor.sources.ingress import state as machine
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.changes import new_event
from stagedoor.sources.ingress.closing import REPLACED, conclude
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.recorder import LEASE_MS
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import Failure, State
from stagedoor.sources.ingress.store import Stored
from stagedoor.storage import Transaction
from stagedoor.tenancy.store import app_by_id, hold_apps

PULLED_ELSEWHERE: Final = "pulled_elsewhere"
"""The code of the problem when two nodes see a pull due at the same moment, and this one came second."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants to publish.

    Attributes:
        digest: The hash of the key that it came with; `None` for a pulled URL.
        publication: The id of the publication.
        node: The node that it came to.
    """

    ingress: Ingress
    digest: str | None
    publication: str
    node: str


def check(tx: Transaction, claim: Claim) -> Stored | None:
    """The state that the publication would take over from, if it may publish now.

    Raises:
        Forbidden: The ingress was deleted, disabled, moved or given another key meanwhile.
        TooMany: As many ingresses of the app are live as may.
        Conflict: Another publication is live, and the app's `ingressConflict` is `refuse`, or the ingress is a pull.
    """
    ingress = claim.ingress
    app = app_by_id(tx, ingress.app_id) if hold_apps(tx, {ingress.app_id}) else None
    if app is None:
        raise Forbidden("The ingress was deleted.", code="ingress_deleted")
    settings, now = app.settings.of(IngressSettings), now_ms()
    live = store.count_live(tx, app.id, now, other_than=ingress.id)
    permitted = store.permitted(tx, [ingress.id]).get(ingress.id)
    if permitted is None or permitted.digest != claim.digest:
        raise Forbidden("The ingress was deleted or given another key.", code="ingress_deleted")
    if not permitted.ingress.enabled:
        raise Forbidden("This ingress is disabled.", code="ingress_disabled")
    if live >= settings.streams:
        raise TooMany(
            f"As many of the app's ingresses publish as its setting ingressStreams allows: {settings.streams}.",
            code="too_many_streams",
            extra={"limit": settings.streams},
            headers={"Retry-After": "10"},
        )
    stored = store.stored_of(tx, ingress.id, lock=True)
    if stored is not None and stored.lease_until is not None:
        if ingress.input_type == "url" and stored.lease_until >= now:
            raise Conflict("Another node pulls this URL.", code=PULLED_ELSEWHERE)
        if settings.conflict == "refuse" and stored.lease_until >= now:
            raise Conflict(
                "Another encoder publishes with this key; end it first, or set the app's ingressConflict to takeover.",
                code="already_publishing",
                headers={"Retry-After": "10"},
            )
    return stored


def admit(tx: Transaction, feed: Feed, claim: Claim) -> State:
    """Let the publication have the ingress's state, which it has then.

    Raises:
        Problem: As `check`.
    """
    ingress = claim.ingress
    stored = check(tx, claim)
    if stored is not None and stored.lease_until is not None:
        conclude(tx, feed, ingress, REPLACED)
        stored = store.stored_of(tx, ingress.id)
    state, _ = machine.begin(State() if stored is None else stored.state, pulled=ingress.input_type == "url")
    store.save_state(tx, Stored(ingress.id, state, claim.node, claim.publication, now_ms() + LEASE_MS))
    return state


def note_refusal(tx: Transaction, feed: Feed, ingress: Ingress, problem: Problem) -> None:
    """Record on the ingress why an encoder that has its key was refused, unless it publishes."""
    if not hold_apps(tx, {ingress.app_id}) or store.find_ingress(tx, ingress.app_id, ingress.id) is None:
        return
    stored = store.stored_of(tx, ingress.id, lock=True)
    before = State() if stored is None else stored.state
    if before.live:
        return
    after, event = machine.fail(before, Failure(problem.code, problem.detail))
    if after == before:
        return  # an encoder that comes back every second writes nothing
    store.save_state(tx, Stored(ingress.id, after))
    if event is not None:
        feed.append(tx, new_event(tx, ingress, event, before, after, now_ms()))
