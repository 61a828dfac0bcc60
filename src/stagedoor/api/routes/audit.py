"""`/audit`: who changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from stagedoor.api.authentication import AuditRead
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import EMPTY_IS_ABSENT, NO_NUL, Limit, Page, ResponseModel, Timestamp, page
from stagedoor.audit import store as trail
from stagedoor.audit.store import Entry
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/audit", tags=["Audit"])


class AuditEntry(ResponseModel):
    """Something that was done."""

    seq: int = Field(description="Place in the trail.", examples=[7])
    at: str = Field(description="When.", examples=["2026-01-31T12:00:00.000Z"])
    actor: str = Field(
        description="Who: the id of an API key or of a user, `operator` for the person on the machine, `system` for"
        " Stagedoor itself.",
        examples=["key_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    credential: str | None = Field(
        description="The id of the session or token by which a user did it; null for every other actor.",
        examples=["sis_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    action: str = Field(description="What.", examples=["app.created"])
    target: str = Field(description="The id of what it was done to.", examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    organisation: str | None = Field(
        description="Whose thing it is, by id; null for the installation's.",
        examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    app: str | None = Field(description="The app that it is in, by id.", examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    detail: dict[str, Any] = Field(
        description="The details of the action, such as what changed.", examples=[{"slug": "live"}]
    )


def _body(entry: Entry) -> AuditEntry:
    return AuditEntry(
        seq=entry.seq,
        at=rfc3339(entry.at),
        actor=entry.actor,
        credential=entry.credential,
        action=entry.action,
        target=entry.target,
        organisation=entry.organisation_id,
        app=entry.app_id,
        detail=dict(entry.detail),
    )


@router.get("", summary="Read the audit trail", responses=documented(401, 403, 404, 422, 503))
async def list_audit(
    services: ServicesDep,
    caller: AuditRead,
    organisation: Annotated[
        str | None,
        Query(
            max_length=64,
            pattern=NO_NUL,
            description="Only entries of this organisation, by slug or id.",
            examples=["default"],
        ),
    ] = None,
    app: Annotated[
        str | None,
        Query(max_length=64, pattern=NO_NUL, description="Only entries of this app, by slug or id.", examples=["live"]),
    ] = None,
    action: Annotated[
        str | None,
        Query(max_length=40, pattern=NO_NUL, description="Only entries with this action.", examples=["key.created"]),
    ] = None,
    since: Annotated[
        Timestamp | None, Query(description="From this time on.", examples=["2026-01-01T00:00:00Z"])
    ] = None,
    cursor: Annotated[
        int | None,
        Query(ge=1, le=2**62, description="`page.next` of the page before.", examples=[7]),
        EMPTY_IS_ABSENT,
    ] = None,
    limit: Limit = 50,
) -> Page[AuditEntry]:
    """Newest first. What was done to things that are deleted stays."""

    def look(tx: Transaction) -> list[Entry]:
        return trail.entries(
            tx,
            caller,
            organisation_id=None if organisation is None else organisations.get(tx, caller, organisation).id,
            app_id=None if app is None else apps.get(tx, caller, app).id,
            action=action,
            since=None if since is None else from_rfc3339(since),
            before=cursor,
            limit=limit + 1,
        )

    found = await services.database.read(look)
    return page([_body(entry) for entry in found], limit, lambda entry: str(entry.seq))
