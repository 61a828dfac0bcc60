"""Delivering: a job per delivery, an attempt each time it is tried, and an endpoint that goes on failing is disabled.

The attempt and what follows from it are stored in one transaction after the answer. A process that dies in between
sends the message again, under the same id.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

import structlog

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.nouns import Effect, GiveUp, Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.durations import format_duration
from stagedoor.kernel.errors import Conflict
from stagedoor.kernel.sealing import Sealer
from stagedoor.outbox import body_store, delivery_store, endpoint_store, fanout_store, secret
from stagedoor.outbox.metrics import DELIVERIES, DELIVERY_SECONDS
from stagedoor.outbox.nouns import Attempt, AttemptResult, Delivery, DeliveryState, Endpoint
from stagedoor.outbox.sender import Sender
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()
KIND: Final = "webhook.deliver"
_GONE: Final = 410
_LONGEST_WAIT: Final = 86_400.0
_PLACES: Final = 128
"""How many messages are under way on a node. An organisation has at most half of the places that others leave."""
_PLACES_OF_ENDPOINT: Final = 8
_OVERHEAD_SECONDS: Final = 30.0
"""Beyond the sender's own time-out, for reading the delivery."""


def job_of(endpoint: Endpoint, delivery: Delivery, trace: str | None) -> NewJob:
    """The job that delivers it, as a part of the trace of its event."""
    place = delivery.session_id or delivery.app_id
    return NewJob(
        KIND,
        {"delivery": delivery.id},
        unique_key=delivery.id,
        lane=f"{endpoint.id}/{place}" if endpoint.ordered else None,
        group_key=f"{endpoint.organisation_id}/{endpoint.id}",
        trace=trace,
    )


class Deliverer:
    """Does the jobs.

    Args:
        delays: Seconds before each attempt after the first.
        disable_after_seconds: An endpoint that has not taken a single message for so long is disabled when a delivery
            is given up.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        sealer: Sealer,
        sender: Sender,
        delays: Sequence[float],
        disable_after_seconds: float,
    ) -> None:
        self._database = database
        self._feed = feed
        self._sealer = sealer
        self._sender = sender
        self._delays = delays
        self._disable_after_ms = int(disable_after_seconds * 1000)

    def kind(self, timeout_seconds: float) -> JobKind:
        """The kind of its jobs."""
        return JobKind(
            KIND,
            self._deliver,
            max_attempts=len(self._delays) + 1,
            timeout_seconds=timeout_seconds + _OVERHEAD_SECONDS,
            backoff=self._wait,
            concurrency=_PLACES,
            group_concurrency=_PLACES_OF_ENDPOINT,
            on_dead=self._died,
        )

    def _wait(self, attempts: int) -> float:
        """Seconds until the next attempt: up to a tenth more than the schedule's, so that many do not come at once."""
        delay = self._delays[min(attempts, len(self._delays)) - 1] if self._delays else 0.0
        return delay * (1 + random.random() / 10)  # noqa: S311 - to spread the load, nothing secret

    async def _deliver(self, job: Job) -> Effect | None:
        found = await self._database.read(lambda tx: _load(tx, str(job.payload["delivery"])))
        if found is None:
            return None  # the endpoint or the app is deleted, and its deliveries with it
        endpoint, delivery, body = found
        if delivery.state != "pending":
            return None
        if not endpoint.enabled:
            raise GiveUp("The endpoint is disabled.", effect=lambda tx: _set_dead(tx, delivery.id))
        signers = secret.signers(self._sealer, endpoint, now_ms())
        answered = await self._sender.send(endpoint.url, delivery.message_id, body, signers)
        DELIVERIES.labels(answered.outcome).inc()
        DELIVERY_SECONDS.observe(answered.duration_ms / 1000)
        if answered.outcome == "ok":
            return lambda tx: self._delivered(tx, delivery.id, answered)
        if answered.status == _GONE:
            raise GiveUp(answered.detail, effect=lambda tx: self._gone(tx, delivery.id, delivery.app_id, answered))
        wait = self._wait(job.attempts)
        if answered.retry_after is not None:
            wait = min(max(wait, answered.retry_after), _LONGEST_WAIT)
        raise Retry(answered.detail, after_seconds=wait, effect=lambda tx: _failed(tx, delivery.id, answered))

    def _delivered(self, tx: Transaction, delivery_id: str, answered: AttemptResult) -> None:
        endpoint = _record(tx, delivery_id, answered, "delivered")
        if endpoint is not None and endpoint.failing_since is not None:
            endpoint_store.update_endpoint(tx, replace(endpoint, failing_since=None))

    def _gone(self, tx: Transaction, delivery_id: str, app_id: str, answered: AttemptResult) -> None:
        endpoint = _record(tx, delivery_id, answered, "dead")
        if endpoint is not None and endpoint.enabled:
            self._disable(tx, endpoint, app_id, "It answered 410 Gone.")

    def _died(self, tx: Transaction, job: Job, _reason: str) -> None:
        """The attempts are used up."""
        delivery = _set_dead(tx, str(job.payload["delivery"]))
        endpoint = None if delivery is None else endpoint_store.endpoint_by_id(tx, delivery.endpoint_id, locked=True)
        if delivery is None or endpoint is None or endpoint.failing_since is None or not endpoint.enabled:
            return
        if now_ms() - endpoint.failing_since >= self._disable_after_ms:
            kept = format_duration(max(1, self._disable_after_ms // 1000))
            self._disable(tx, endpoint, delivery.app_id, f"Every message of the last {kept} failed.")

    def _disable(self, tx: Transaction, endpoint: Endpoint, app_id: str, reason: str) -> None:
        """Disable it, and say so where its owner looks: in the app's events, which other endpoints get."""
        now = now_ms()
        endpoint_store.update_endpoint(tx, replace(endpoint, enabled=False, disabled_reason=reason, updated_at=now))
        fanout_store.forget_backlog(tx, endpoint.id)
        # A caller who sees the app's events may not see the endpoint, and the rest of its URL may hold a secret.
        detail = {"endpoint": endpoint.id, "host": urlsplit(endpoint.url).hostname, "reason": reason}
        self._feed.append(tx, NewEvent(app_id, "webhook.disabled", "api", now, "", endpoint.id, None, detail))
        tx.after_commit(lambda: _log.warning("webhook_endpoint_disabled", endpoint_id=endpoint.id, reason=reason))


def _load(tx: Transaction, delivery_id: str) -> tuple[Endpoint, Delivery, bytes] | None:
    delivery = delivery_store.delivery_by_id(tx, delivery_id)
    endpoint = None if delivery is None else endpoint_store.endpoint_by_id(tx, delivery.endpoint_id)
    body = None if delivery is None else body_store.body_of(tx, delivery.event_seq)
    return None if delivery is None or endpoint is None or body is None else (endpoint, delivery, body)


def _record(tx: Transaction, delivery_id: str, answered: AttemptResult, state: DeliveryState) -> Endpoint | None:
    """Store the attempt and what it made of the delivery; the endpoint, unless it was deleted meanwhile."""
    delivery = delivery_store.delivery_by_id(tx, delivery_id, locked=True)
    if delivery is None:
        return None
    after = replace(
        delivery,
        state=state,
        attempts=delivery.attempts + 1,
        delivered_at=now_ms() if state == "delivered" else None,
        last_outcome=answered.outcome,
        last_status=answered.status,
    )
    delivery_store.update_delivery(tx, after)
    delivery_store.insert_attempt(tx, Attempt(after.attempts, delivery.id, answered))
    return endpoint_store.endpoint_by_id(tx, delivery.endpoint_id, locked=True)


def _failed(tx: Transaction, delivery_id: str, answered: AttemptResult) -> None:
    endpoint = _record(tx, delivery_id, answered, "pending")
    if endpoint is not None and endpoint.failing_since is None:
        endpoint_store.update_endpoint(tx, replace(endpoint, failing_since=answered.at))


def cancelled(tx: Transaction, _queue: Queue, job: Job) -> None:
    """An operator cancelled the job: the message can be sent again by hand."""
    _set_dead(tx, str(job.payload["delivery"]))


def retried(tx: Transaction, _queue: Queue, job: Job) -> None:
    """An operator has the job done once more: a message that was given up is on its way again.

    Raises:
        Conflict: The endpoint is disabled.
    """
    found = _load(tx, str(job.payload["delivery"]))
    if found is None or found[1].state != "dead":
        return
    if not found[0].enabled:
        raise Conflict("The endpoint is disabled; enable it first.", code="webhook_disabled")
    delivery = delivery_store.delivery_by_id(tx, found[1].id, locked=True)
    if delivery is not None:
        delivery_store.update_delivery(tx, replace(delivery, state="pending"))


def _set_dead(tx: Transaction, delivery_id: str) -> Delivery | None:
    delivery = delivery_store.delivery_by_id(tx, delivery_id, locked=True)
    if delivery is not None:
        delivery_store.update_delivery(tx, replace(delivery, state="dead"))
    return delivery
