"""The reasons for ending a publication, and the end of one as the database has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.events.feed import Feed
from stagedoor.kernel.clock import now_ms
from stagedoor.sources.ingress import state as machine
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.changes import new_event
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.store import Stored
from stagedoor.storage import Transaction
from stagedoor.tenancy.store import hold_apps


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a publication ends.

    Attributes:
        code: For programs: the `reason` of `ingress.ended`, or the code of the error.
        message: A sentence for the person at the encoder.
        failed: Whether it is an error.
    """

    code: str
    message: str
    failed: bool = False


REPLACED: Final = Ending("replaced", "Another encoder has taken over with the same key.")
ROTATED: Final = Ending("key_rotated", "The stream key was renewed; use the new one.")
DISABLED: Final = Ending("disabled", "The ingress is disabled.")
DELETED: Final = Ending("deleted", "The ingress was deleted.")
CHANGED: Final = Ending("changed", "The ingress was given another room or URL; connect again.")
REMOVED: Final = Ending("removed", "The participant was removed from the room.")
ROOM_ENDED: Final = Ending("room_ended", "The room was ended.")
STOPPING: Final = Ending("server_stops", "Stagedoor stops; connect again in a moment.")
NODE_LOST: Final = Ending("node_lost", "The node that it was published through has ended.")
LIVEKIT_LOST: Final = Ending("livekit_lost", "LiveKit has ended or was started again; connect again.")
LEFT: Final = Ending("encoder_left", "The encoder has ended the stream.")


def conclude(tx: Transaction, feed: Feed, ingress: Ingress, why: Ending) -> None:
    """End what an ingress publishes, through whichever node: from now on its publication may not write its state, and
    its node ends the stream."""
    hold_apps(tx, {ingress.app_id})  # before the state: an app that is deleted locks them in this order
    stored = store.stored_of(tx, ingress.id, lock=True)
    if stored is not None and stored.publication is not None:
        _close(tx, feed, ingress, stored, why, publication=None)


def close_left_over(tx: Transaction, feed: Feed, now: int, node: str | None) -> int:
    """Close the states of publications that no node keeps any more; how many there were.

    Args:
        tx: The transaction.
        feed: Where their ends are events.
        now: The time.
        node: This node, when it has just started: what it published before is over.
    """
    hold_apps(tx, store.apps_of_left_over(tx, now, node))
    found = store.left_over(tx, now, node)
    for ingress, stored in found:
        # A node that comes back writes the state again: it was cut off from the database, and not gone.
        _close(tx, feed, ingress, stored, NODE_LOST, publication=stored.publication)
    return len(found)


def _close(
    tx: Transaction, feed: Feed, ingress: Ingress, stored: Stored, why: Ending, *, publication: str | None
) -> None:
    after, event = machine.end(stored.state)
    store.save_state(tx, Stored(ingress.id, after, None, publication, None))
    if event is not None:
        feed.append(tx, new_event(tx, ingress, event, stored.state, after, now_ms(), why.code))
