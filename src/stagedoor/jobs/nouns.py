"""Jobs as values, and what handlers answer with. Times are milliseconds since the epoch.

queued -> running -> done
                  -> queued      to be tried again: the handler failed, raised `Retry`, or its worker died
                  -> failed      the handler raised `GiveUp`: another attempt cannot help
                  -> dead        the attempts are used up
queued, running -> cancelled     by an operator
failed, dead, cancelled, done -> queued   by an operator
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from stagedoor.kernel.errors import StagedoorError
from stagedoor.storage import Transaction

JobState = Literal["queued", "running", "done", "failed", "dead", "cancelled"]
JOB_STATES: Final[dict[JobState, str]] = {
    "queued": "Waits for its time and for a worker.",
    "running": "A worker has it on lease.",
    "done": "Its effect is committed.",
    "failed": "Another attempt cannot help; the error says why.",
    "dead": "Every attempt failed.",
    "cancelled": "An operator ended it.",
}
UNFINISHED: Final = ("queued", "running")
RECURRING: Final = "recurring"
"""The key of jobs that their kind does again and again."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be done.

    Attributes:
        kind: Which handler does it.
        payload: The argument of the handler, as JSON. Ids rather than content: the handler reads the state it finds.
        unique_key: At most one unfinished job of a kind has it; asking again while it waits changes nothing, and asking
            again while it runs has it run once more afterwards, so nothing that happened meanwhile is missed.
        lane: Jobs of one lane run one at a time, in the order in which they were asked for.
        group_key: Jobs of one group share a bounded number of a worker's places, so that one slow target starves no
            other. Groups whose keys begin with the same `tenant/` share those of the tenant.
        run_at: Not before this time; 0 is now.
        trace: W3C `traceparent` of what asked for it; by default of the span in which it is asked for.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unique_key: str | None = None
    lane: str | None = None
    group_key: str | None = None
    run_at: int = 0
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job.

    Attributes:
        attempts: How often a worker has claimed it; the number is the fence that keeps a worker which lost its lease
            from finishing it.
        again: It was asked for again while it ran.
    """

    seq: int
    id: str
    kind: str
    state: JobState
    payload: Mapping[str, Any]
    unique_key: str | None
    lane: str | None
    group_key: str | None
    run_at: int
    attempts: int
    again: bool
    owner: str | None
    lease_until: int | None
    trace: str | None
    error: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None


Effect = Callable[[Transaction], object]
"""What a job changes in the database: committed together with the job's end, or not at all."""

Handler = Callable[[Job], Awaitable[Effect | None]]
"""Does what a job asks for, outside of any transaction.

What it does elsewhere may happen twice (the process may die before the commit), so it uses a key that makes the second
time harmless: the job's id, which is the same at every attempt. What it changes in the database it returns.
"""


class Retry(StagedoorError):
    """Raised by a handler: not now, try again later.

    Args:
        reason: A sentence for the operator.
        after_seconds: When; the kind's back-off decides if it is not given.
        counted: False for an attempt that says nothing about the job, such as one while the database was away.
        effect: What this attempt changes all the same, such as a record of it; committed with the job's return.
    """

    def __init__(
        self, reason: str, *, after_seconds: float | None = None, counted: bool = True, effect: Effect | None = None
    ) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds
        self.counted = counted
        self.effect = effect


class GiveUp(StagedoorError):
    """Raised by a handler: no attempt will ever work.

    Args:
        reason: A sentence for the operator.
        effect: What this attempt changes all the same.
    """

    def __init__(self, reason: str, *, effect: Effect | None = None) -> None:
        super().__init__(reason)
        self.effect = effect


def doubling(first: float, ceiling: float) -> Callable[[int], float]:
    """Back-off that doubles up to a ceiling, with jitter: the second half of each wait is chance."""

    def wait(attempts: int) -> float:
        full = min(ceiling, first * 2.0 ** min(attempts - 1, 60))
        return full / 2 + random.random() * full / 2  # noqa: S311 - to spread the load, nothing secret

    return wait


_BACKOFF: Final = doubling(1.0, 600.0)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job and how it is worked on.

    Attributes:
        name: `noun.verb`.
        max_attempts: Then the job is dead.
        timeout_seconds: An attempt that takes longer is broken off and counts as failed.
        backoff: Seconds until the next attempt, given how many there were.
        concurrency: How many of this kind one worker does at a time.
        group_concurrency: How many of one `group_key`; then groups get places in turn. `None`: the oldest jobs come
            first, whatever their groups.
        every_seconds: Done by itself at the start, and again so long after each end.
        on_dead: What changes with the last failure: called with the job and the error.
    """

    name: str
    handler: Handler
    max_attempts: int = 10
    timeout_seconds: float = 60.0
    backoff: Callable[[int], float] = _BACKOFF
    concurrency: int = 8
    group_concurrency: int | None = None
    every_seconds: float | None = None
    on_dead: Callable[[Transaction, Job, str], None] | None = None
