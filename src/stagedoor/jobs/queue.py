"""Asking for jobs, and what an operator does with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from stagedoor.jobs import operator_store, store
from stagedoor.jobs.nouns import RECURRING, UNFINISHED, Job, NewJob
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.kernel.ids import new_id
from stagedoor.storage import Transaction


class Listener(Protocol):
    """A worker of this process, notified on the event loop."""

    def ready(self, kind: str) -> None:
        """A job of the kind may be ready."""
        ...

    def cancelled(self, job_id: str) -> None:
        """The job is not to be done any more."""
        ...


Consequence = Callable[[Transaction, "Queue", Job], object]
"""What changes with a job, in the same transaction."""


class Queue:
    """Where jobs are asked for. Workers of this process are notified at the commit; those of other nodes poll by
    themselves."""

    def __init__(
        self,
        when_cancelled: Mapping[str, Consequence] | None = None,
        when_retried: Mapping[str, Consequence] | None = None,
    ) -> None:
        """`when_cancelled`, `when_retried`: what follows when an operator does that to a job of a kind."""
        self._listeners: list[Listener] = []
        self._when_cancelled = when_cancelled or {}
        self._when_retried = when_retried or {}

    def listen(self, listener: Listener) -> None:
        """Notify `listener` of jobs."""
        self._listeners.append(listener)

    def put(self, tx: Transaction, job: NewJob) -> str:
        """Ask for a job in the transaction that makes it necessary; its id, or that of the unfinished one that has
        the same key."""
        if job.trace is None and tracing.enabled():
            job = replace(job, trace=tracing.traceparent())
        job_id = store.insert_job(tx, new_id("job"), job, now_ms())
        tx.after_commit(lambda: self._notify(job.kind))
        return job_id

    def cancel(self, tx: Transaction, job_id: str) -> Job:
        """Cancel a job that is not finished. A running job is stopped; what it did outside the database stays done.

        Raises:
            NotFound: There is no such job.
            Conflict: It is finished, or is done again and again.
        """
        job = get(tx, job_id, locked=True)
        if job.state not in UNFINISHED:
            raise Conflict(f"This job is {job.state}; there is nothing to cancel.", code="job_finished")
        if job.unique_key == RECURRING:
            raise Conflict("This job is done again and again; without it that would end.", code="job_recurs")
        operator_store.set_state(tx, job, "cancelled", now=now_ms())
        if job.kind in self._when_cancelled:
            self._when_cancelled[job.kind](tx, self, job)

        def notify() -> None:
            for listener in self._listeners:
                listener.cancelled(job_id)
                listener.ready(job.kind)  # what waited behind it in its lane

        tx.after_commit(notify)
        return get(tx, job_id)

    def retry(self, tx: Transaction, job_id: str) -> Job:
        """Have a job done now, with all its attempts: a finished one once more, a waiting one without waiting.

        Raises:
            NotFound: There is no such job.
            Conflict: It is running, or another one has its key.
        """
        job = get(tx, job_id, locked=True)
        if job.state == "running":
            raise Conflict("This job is running.", code="job_running")
        if job.state not in UNFINISHED and job.unique_key is not None:
            other = store.unfinished_of_key(tx, job.kind, job.unique_key)
            if other is not None:
                raise Conflict(f"Another job does the same: {other.id}.", code="job_superseded")
        if job.kind in self._when_retried:
            self._when_retried[job.kind](tx, self, job)
        operator_store.set_state(tx, job, "queued", now=now_ms())
        tx.after_commit(lambda: self._notify(job.kind))
        return get(tx, job_id)

    def withdraw(self, tx: Transaction, kind: str, unique_key: str) -> None:
        """A job that waits for its time need not be done any more."""
        store.delete_queued(tx, kind, unique_key)

    def forget_given_up(self, tx: Transaction, kind: str, unique_key: str) -> None:
        """What was given up is taken up again by another job."""
        store.delete_given_up(tx, kind, unique_key)

    def _notify(self, kind: str) -> None:
        for listener in self._listeners:
            listener.ready(kind)


def get(tx: Transaction, job_id: str, *, locked: bool = False) -> Job:
    """A job.

    Raises:
        NotFound: There is no such job.
    """
    job = operator_store.job_by_id(tx, job_id, locked=locked)
    if job is None:
        raise NotFound("There is no such job.", code="job_not_found")
    return job
