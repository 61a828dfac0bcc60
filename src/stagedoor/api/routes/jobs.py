"""`/jobs`: the durable queue, for the operator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from stagedoor.api.authentication import Admin
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Data, Limit, NumberCursor, Page, ResponseModel, meanings, page, when
from stagedoor.audit import store as trail
from stagedoor.jobs import operator_store, queue
from stagedoor.jobs.nouns import JOB_STATES, Job, JobState
from stagedoor.kernel.clock import rfc3339
from stagedoor.storage import Transaction

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/jobs", tags=["Jobs"])

JobRef = Annotated[
    str,
    Path(
        alias="job",
        max_length=64,
        pattern=NO_NUL,
        description="The job's id.",
        examples=["job_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class JobBody(ResponseModel):
    """Work that is to be done, or was."""

    seq: int = Field(description="Place in the order in which jobs were asked for.", examples=[7])
    id: str = Field(description="Identifier.", examples=["job_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    kind: str = Field(description="What is done.", examples=["webhook.deliver"])
    state: JobState = Field(description=meanings(JOB_STATES), examples=["done"])
    payload: dict[str, Any] = Field(
        description="The handler's input.", examples=[{"deliveryId": "dlv_01JDA8R3S2Y6Q0V9X4T7W5"}]
    )
    unique_key: str | None = Field(description="At most one unfinished job of the kind has it.", examples=[None])
    lane: str | None = Field(description="Jobs of one lane are done one after the other.", examples=[None])
    run_at: str = Field(
        description="Time before which no worker claims the job.", examples=["2026-01-31T12:00:00.000Z"]
    )
    attempts: int = Field(description="How often it was tried.", examples=[1])
    error: str | None = Field(description="Why the last attempt failed.", examples=[None])
    created_at: str = Field(description="When it was asked for.", examples=["2026-01-31T12:00:00.000Z"])
    started_at: str | None = Field(description="When the last attempt began.", examples=["2026-01-31T12:00:00.000Z"])
    finished_at: str | None = Field(
        description="When it ended; null until then.", examples=["2026-01-31T12:00:00.000Z"]
    )


def _body(job: Job) -> JobBody:
    return JobBody(
        seq=job.seq,
        id=job.id,
        kind=job.kind,
        state=job.state,
        payload=dict(job.payload),
        unique_key=job.unique_key,
        lane=job.lane,
        run_at=rfc3339(job.run_at),
        attempts=job.attempts,
        error=job.error,
        created_at=rfc3339(job.created_at),
        started_at=when(job.started_at),
        finished_at=when(job.finished_at),
    )


@router.get("", summary="List jobs", responses=documented(401, 403, 422, 503))
async def list_jobs(
    services: ServicesDep,
    caller: Admin,
    state: Annotated[JobState | None, Query(description="Only jobs of this state.", examples=["dead"])] = None,
    kind: Annotated[
        str | None,
        Query(max_length=64, pattern=NO_NUL, description="Only jobs of this kind.", examples=["webhook.deliver"]),
    ] = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[JobBody]:
    """Newest first. Only a key of the whole installation may."""
    caller.require_installation()
    found = await services.database.read(
        lambda tx: operator_store.list_jobs(tx, state=state, kind=kind, before=cursor, limit=limit + 1)
    )
    return page([_body(job) for job in found], limit, lambda item: str(item.seq))


@router.get("/{job}", summary="Get a job", responses=documented(401, 403, 404, 422, 503))
async def get_job(services: ServicesDep, caller: Admin, reference: JobRef) -> Data[JobBody]:
    """Only a key of the whole installation may."""
    caller.require_installation()
    return Data(data=_body(await services.database.read(lambda tx: queue.get(tx, reference))))


@router.post("/{job}/retry", summary="Do a job now", responses=documented(401, 403, 404, 409, 422, 503))
async def retry_job(services: ServicesDep, caller: Admin, reference: JobRef) -> Data[JobBody]:
    """With all its attempts: one that is finished once more, one that waits without waiting. Only a key of the whole
    installation may."""
    caller.require_installation()

    def retry(tx: Transaction) -> Job:
        trail.note(tx, caller, "job.retried", reference, organisation_id=None)
        return services.queue.retry(tx, reference)

    return Data(data=_body(await services.database.write(retry)))


@router.post("/{job}/cancel", summary="Cancel a job", responses=documented(401, 403, 404, 409, 422, 503))
async def cancel_job(services: ServicesDep, caller: Admin, reference: JobRef) -> Data[JobBody]:
    """A running job is stopped; what it did outside the database stays done. The key must be the installation's."""
    caller.require_installation()

    def cancel(tx: Transaction) -> Job:
        trail.note(tx, caller, "job.cancelled", reference, organisation_id=None)
        return services.queue.cancel(tx, reference)

    return Data(data=_body(await services.database.write(cancel)))
