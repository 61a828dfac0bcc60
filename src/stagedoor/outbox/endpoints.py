"""Endpoints: making, changing and deleting them, and sending events again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from stagedoor.events import store as events
from stagedoor.events.catalogue import CATALOGUE
from stagedoor.jobs.nouns import Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.sealing import Sealer
from stagedoor.outbox import body_store, delivery_store, endpoint_store, fanout_store, secret
from stagedoor.outbox.backlog import Room
from stagedoor.outbox.delivery import KIND, job_of
from stagedoor.outbox.fanout import delivery_for
from stagedoor.outbox.messages import message
from stagedoor.outbox.nouns import MOST_PER_ORGANISATION, Attempt, Backlog, Delivery, Endpoint
from stagedoor.outbox.signing import new_secret
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.store import app_by_id, apps_of_organisation

RECOVER: Final = "webhook.recover"
_BATCH_SIZE: Final = 200
_LOOK_FOR_ROOM_SECONDS: Final = 30.0


def create(
    tx: Transaction,
    sealer: Sealer,
    organisation_id: str,
    app: App | None,
    *,
    url: str,
    types: Sequence[str],
    description: str,
    enabled: bool,
    ordered: bool,
) -> tuple[Endpoint, str]:
    """Make an endpoint that gets every event from now on; it and its secret.

    Raises:
        Invalid: There is no such type of event.
        TooMany: The organisation has as many endpoints as it may.
    """
    if endpoint_store.count_endpoints(tx, organisation_id) >= MOST_PER_ORGANISATION:
        raise TooMany(
            f"An organisation may have {MOST_PER_ORGANISATION} webhook endpoints.",
            code="too_many_endpoints",
            extra={"limit": MOST_PER_ORGANISATION},
        )
    now = now_ms()
    plain = new_secret()
    endpoint = Endpoint(
        id=new_id("whe"),
        organisation_id=organisation_id,
        app_id=None if app is None else app.id,
        url=url,
        description=description,
        types=_checked_types(types),
        enabled=enabled,
        ordered=ordered,
        from_seq=endpoint_store.last_event(tx),
        sealed_secret=secret.seal(sealer, plain),
        sealed_old_secret=None,
        old_secret_until=None,
        failing_since=None,
        disabled_reason=None,
        created_at=now,
        updated_at=now,
    )
    endpoint_store.insert_endpoint(tx, endpoint)
    return endpoint, plain


def get(tx: Transaction, principal: Principal, endpoint_id: str) -> Endpoint:
    """An endpoint.

    Raises:
        NotFound: There is none, or the caller may not know of it.
    """
    endpoint = endpoint_store.find_endpoint(tx, principal, endpoint_id)
    if endpoint is None:
        raise NotFound("There is no such webhook endpoint.", code="webhook_not_found")
    return endpoint


def change(
    tx: Transaction,
    principal: Principal,
    endpoint_id: str,
    *,
    url: str | None,
    types: Sequence[str] | None,
    description: str | None,
    enabled: bool | None,
    ordered: bool | None,
) -> Endpoint:
    """Change what is given. Enabling one that was disabled for its failures starts their count again; what happened
    meanwhile is not sent by itself, `recover` does that."""
    before = _locked(tx, principal, endpoint_id)
    after = replace(
        before,
        url=before.url if url is None else url,
        types=before.types if types is None else _checked_types(types),
        description=before.description if description is None else description,
        enabled=before.enabled if enabled is None else enabled,
        ordered=before.ordered if ordered is None else ordered,
        updated_at=now_ms(),
    )
    if after.enabled and not before.enabled:
        fanout_store.forget_backlog(tx, endpoint_id)
        after = replace(after, failing_since=None, disabled_reason=None, from_seq=endpoint_store.last_event(tx))
    endpoint_store.update_endpoint(tx, after)
    return after


def rotate(
    tx: Transaction, sealer: Sealer, principal: Principal, endpoint_id: str, overlap_seconds: int
) -> tuple[Endpoint, str]:
    """Give it a new secret; messages carry signatures of both until the overlap is over.

    Raises:
        Conflict: The overlap of the change before is not over: a third secret would end the first one early.
    """
    before = _locked(tx, principal, endpoint_id)
    now = now_ms()
    if overlap_seconds and before.old_secret_until is not None and before.old_secret_until > now:
        raise Conflict(
            f"The secret was changed lately; the one before counts until {rfc3339(before.old_secret_until)}. Wait, or"
            " rotate with an overlap of 0, which ends both.",
            code="rotation_running",
        )
    plain = new_secret()
    after = replace(
        before,
        sealed_secret=secret.seal(sealer, plain),
        sealed_old_secret=before.sealed_secret if overlap_seconds else None,
        old_secret_until=now + overlap_seconds * 1000 if overlap_seconds else None,
        updated_at=now,
    )
    endpoint_store.update_endpoint(tx, after)
    return after, plain


def delete(tx: Transaction, principal: Principal, endpoint_id: str) -> Endpoint:
    """Delete it, with its deliveries; what it was."""
    endpoint = get(tx, principal, endpoint_id)
    delivery_store.delete_deliveries_of_endpoint(tx, endpoint)
    endpoint_store.delete_endpoint(tx, endpoint.id)
    return endpoint


def backlogs(tx: Transaction, found: Collection[Endpoint]) -> dict[str, Backlog]:
    """What waits for each of these endpoints."""
    ids = [endpoint.id for endpoint in found]
    pending, behind = delivery_store.waiting_of_endpoints(tx, ids), fanout_store.behind_since(tx, ids)
    return {one: Backlog(pending.get(one, 0), behind.get(one)) for one in ids}


def get_delivery(tx: Transaction, endpoint: Endpoint, delivery_id: str) -> tuple[Delivery, bytes, list[Attempt]]:
    """A delivery of the endpoint, with what is sent and its attempts.

    Raises:
        NotFound: It has no such delivery.
    """
    delivery = delivery_store.delivery_by_id(tx, delivery_id)
    body = None if delivery is None else body_store.body_of(tx, delivery.event_seq)
    if delivery is None or body is None or delivery.endpoint_id != endpoint.id:
        raise NotFound("There is no such delivery.", code="delivery_not_found")
    return delivery, body, delivery_store.attempts_of(tx, [delivery.id])


def redeliver(tx: Transaction, queue: Queue, principal: Principal, endpoint_id: str, delivery_id: str) -> Delivery:
    """Send a message again, under its own id, with all its attempts.

    Raises:
        Conflict: It waits to be delivered, or the endpoint is disabled.
    """
    endpoint = get(tx, principal, endpoint_id)
    if not endpoint.enabled:
        raise Conflict("The endpoint is disabled; enable it first.", code="webhook_disabled")
    get_delivery(tx, endpoint, delivery_id)
    delivery = delivery_store.delivery_by_id(tx, delivery_id, locked=True)
    if delivery is None or delivery.state == "pending":
        raise Conflict("This message is being delivered.", code="delivery_pending")
    return _requeue(tx, queue, endpoint, delivery)


def recover(tx: Transaction, queue: Queue, principal: Principal, endpoint_id: str, since: int) -> str:
    """Have everything sent that happened since then and was not delivered to it; the id of the job that does it.

    Raises:
        Conflict: The endpoint is disabled.
    """
    endpoint = get(tx, principal, endpoint_id)
    if not endpoint.enabled:
        raise Conflict("The endpoint is disabled; enable it first.", code="webhook_disabled")
    payload = {"endpoint": endpoint.id, "since": since}
    job = NewJob(RECOVER, payload, unique_key=f"{endpoint.id}/{since}", group_key=endpoint.organisation_id)
    return queue.put(tx, job)


def recover_kind(database: Database, queue: Queue, most_pending: int) -> JobKind:
    """The kind of job that recovers: in batches, each of which may be done twice without harm.

    Args:
        database: Where the events are.
        queue: Where deliveries are asked for.
        most_pending: How many deliveries of an organisation may wait; it goes on when there is room.
    """

    async def handle(job: Job) -> None:
        endpoint_id, since = str(job.payload["endpoint"]), int(job.payload["since"])
        for app_id in await database.read(lambda tx: _apps(tx, endpoint_id)):
            after: int | None = 0
            while after is not None:
                work = partial(
                    _recover_batch,
                    endpoint_id=endpoint_id,
                    app_id=app_id,
                    since=since,
                    after=after,
                    queue=queue,
                    most_pending=most_pending,
                )
                after, is_full = await database.write(work)
                if is_full:
                    reason = "As many deliveries of the organisation wait as may."
                    raise Retry(reason, after_seconds=_LOOK_FOR_ROOM_SECONDS, counted=False)

    return JobKind(RECOVER, handle, timeout_seconds=3600, concurrency=4, group_concurrency=1)


def _apps(tx: Transaction, endpoint_id: str) -> list[str]:
    endpoint = endpoint_store.endpoint_by_id(tx, endpoint_id)
    if endpoint is None:
        return []
    if endpoint.app_id is not None:
        return [endpoint.app_id]
    return [app.id for app in apps_of_organisation(tx, endpoint.organisation_id)]


def _recover_batch(
    tx: Transaction, *, endpoint_id: str, app_id: str, since: int, after: int, queue: Queue, most_pending: int
) -> tuple[int | None, bool]:
    """The number of the last event that was looked at, `None` at the end; and whether there is no room for more."""
    endpoint = endpoint_store.endpoint_by_id(tx, endpoint_id, locked=True)
    app = app_by_id(tx, app_id)
    if endpoint is None or app is None:
        return None, False
    if not fanout_store.lock_app(tx, app_id):
        raise Retry("Another node gives out this app's events.", after_seconds=1, counted=False)
    batch = events.events_since(tx, app_id, since, after=after, limit=_BATCH_SIZE)
    # What comes after is still to be given out, and an event is given to an endpoint once.
    given_out = fanout_store.offered_to(tx, app_id, endpoint)
    wanted = [event for event in batch if event.seq <= given_out and endpoint.wants(event.type)]
    known = delivery_store.deliveries_of_events(tx, endpoint.id, [event.seq for event in wanted])
    room = Room(delivery_store.waiting_of_organisation(tx, app.organisation_id), most_pending)
    for event in wanted:
        delivery = known.get(event.seq)
        if delivery is not None and delivery.state != "dead":
            continue
        if not room.take(endpoint.id):
            return event.seq, True
        if delivery is None:
            delivery = delivery_for(endpoint, event)
            body_store.insert_bodies(tx, app.id, {event.seq: message(app, event)})
            delivery_store.insert_deliveries(tx, [delivery])
            queue.put(tx, job_of(endpoint, delivery, event.trace))
        else:
            _requeue(tx, queue, endpoint, delivery)
    return (batch[-1].seq if len(batch) == _BATCH_SIZE else None), False


def _requeue(tx: Transaction, queue: Queue, endpoint: Endpoint, delivery: Delivery) -> Delivery:
    after = replace(delivery, state="pending", delivered_at=None)
    delivery_store.update_delivery(tx, after)
    queue.forget_given_up(tx, KIND, delivery.id)
    queue.put(tx, job_of(endpoint, after, None))
    return after


def _locked(tx: Transaction, principal: Principal, endpoint_id: str) -> Endpoint:
    endpoint = endpoint_store.endpoint_by_id(tx, get(tx, principal, endpoint_id).id, locked=True)
    if endpoint is None:
        raise NotFound("There is no such webhook endpoint.", code="webhook_not_found")
    return endpoint


def _checked_types(types: Sequence[str]) -> tuple[str, ...]:
    groups = {f"{type_.partition('.')[0]}.*" for type_ in CATALOGUE}
    unknown = [type_ for type_ in types if type_ not in CATALOGUE and type_ not in groups]
    if unknown:
        raise Invalid(f"There are no events of the type {unknown[0]!r}.", code="unknown_event_type")
    return tuple(dict.fromkeys(types))
