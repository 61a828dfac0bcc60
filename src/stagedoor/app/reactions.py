"""What happens with an event: by its type, which folder does what in the transaction that stores it.

The state of rooms knows no feature. A feature that acts when a session starts or ends is an entry here, and a function
`(tx, queue, event)` in its own folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from stagedoor.events.nouns import NewEvent, Reaction
from stagedoor.jobs.queue import Queue
from stagedoor.rooms import session_jobs
from stagedoor.sources.ingress import livekit_engine
from stagedoor.storage import Transaction
from stagedoor.transcripts import transcription

REACTIONS: Final[Mapping[str, Sequence[Callable[[Transaction, Queue, NewEvent], object]]]] = {
    "session.started": (session_jobs.on_started, transcription.on_session_started),
    "session.reopened": (session_jobs.on_started, transcription.on_session_started),
    "session.ended": (session_jobs.on_ended,),
    "participant.joined": (session_jobs.on_joined,),
    "ingress.started": (livekit_engine.on_started,),
    "ingress.ended": (livekit_engine.on_ended,),
}


def reactions(queue: Queue) -> dict[str, list[Reaction]]:
    """The table, for a feed."""
    return {type_: [partial(_run, queue, react) for react in found] for type_, found in REACTIONS.items()}


def _run(
    queue: Queue, react: Callable[[Transaction, Queue, NewEvent], object], tx: Transaction, event: NewEvent
) -> None:
    react(tx, queue, event)
