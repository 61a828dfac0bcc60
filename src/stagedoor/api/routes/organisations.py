"""`/organisations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from stagedoor.api.authentication import OrganisationsRead, OrganisationsWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Cursor, Data, Limit, Name, Page, RequestModel, ResponseModel, page
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Conflict
from stagedoor.kernel.wording import form
from stagedoor.rooms import rooms
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations, store
from stagedoor.tenancy.nouns import App, Organisation
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/organisations", tags=["Organisations"])

SLUG = form(
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "it has lower-case letters, digits and - only, 63 at the most, and begins and ends with a letter or digit",
)
OrganisationRef = Annotated[
    str,
    Path(
        alias="organisation",
        max_length=64,
        pattern=NO_NUL,
        description="The organisation's slug or id.",
        examples=["default"],
    ),
]


class OrganisationBody(ResponseModel):
    """A tenant."""

    id: str = Field(description="Identifier.", examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    name: str = Field(description="Name for people.", examples=["Acme"])
    slug: str = Field(description="Name for URLs, unique in the installation.", examples=["acme"])
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


class NewOrganisation(RequestModel):
    """An organisation to create."""

    name: Name = Field(description="Name for people.", examples=["Acme"])
    slug: str | None = Field(
        default=None,
        pattern=SLUG,
        description="Name for URLs; made from the name if not given.",
        examples=["acme"],
    )


class OrganisationChange(RequestModel):
    """What to change of an organisation; what is left out stays."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["Acme Ltd"])
    slug: str | None = Field(default=None, pattern=SLUG, description="Name for URLs.", examples=["acme"])


def _body(organisation: Organisation) -> OrganisationBody:
    return OrganisationBody(
        id=organisation.id,
        name=organisation.name,
        slug=organisation.slug,
        created_at=rfc3339(organisation.created_at),
        updated_at=rfc3339(organisation.updated_at),
    )


@router.post(
    "",
    status_code=201,
    summary="Create an organisation",
    responses=documented(400, 401, 403, 409, 413, 422, 503),
)
async def create_organisation(
    services: ServicesDep, caller: OrganisationsWrite, body: NewOrganisation
) -> Data[OrganisationBody]:
    """Only a key of the whole installation may."""
    caller.require_installation()

    def make(tx: Transaction) -> Organisation:
        made = organisations.create(tx, body.name, body.slug)
        _note(tx, caller, "organisation.created", made)
        return made

    return Data(data=_body(await services.database.write(make)))


@router.get("", summary="List organisations", responses=documented(401, 403, 422, 503))
async def list_organisations(
    services: ServicesDep, caller: OrganisationsRead, cursor: Cursor = None, limit: Limit = 50
) -> Page[OrganisationBody]:
    """Those that the key may see."""
    found = await services.database.read(lambda tx: store.list_organisations(tx, caller, after=cursor, limit=limit + 1))
    return page([_body(item) for item in found], limit, lambda item: item.id)


@router.get("/{organisation}", summary="Get an organisation", responses=documented(401, 403, 404, 422, 503))
async def get_organisation(
    services: ServicesDep, caller: OrganisationsRead, reference: OrganisationRef
) -> Data[OrganisationBody]:
    """By slug or id."""
    found = await services.database.read(lambda tx: organisations.get(tx, caller, reference))
    return Data(data=_body(found))


@router.patch(
    "/{organisation}",
    summary="Change an organisation",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def change_organisation(
    services: ServicesDep, caller: OrganisationsWrite, reference: OrganisationRef, body: OrganisationChange
) -> Data[OrganisationBody]:
    """Fields that are left out stay as they are."""

    def change(tx: Transaction) -> Organisation:
        changed = organisations.update(tx, caller, reference, name=body.name, slug=body.slug)
        _note(tx, caller, "organisation.changed", changed)
        return changed

    return Data(data=_body(await services.database.write(change)))


@router.delete(
    "/{organisation}",
    status_code=204,
    summary="Delete an organisation",
    responses=documented(401, 403, 404, 409, 422, 502, 503),
)
async def delete_organisation(
    services: ServicesDep,
    caller: OrganisationsWrite,
    reference: OrganisationRef,
    force: Annotated[bool, Query(description="Delete its apps too, and end their rooms.", examples=[False])] = False,
) -> Response:
    """An organisation with apps is refused unless forced. Only a key of the whole installation may."""
    caller.require_installation()

    def look(tx: Transaction) -> tuple[Organisation, list[App]]:
        found = organisations.get(tx, caller, reference)
        return found, organisations.apps_of(tx, found)

    organisation, its_apps = await services.database.read(look)
    if its_apps and not force:
        raise Conflict(
            "The organisation still has apps; delete them first, or use force=true.",
            code="organisation_not_empty",
        )
    for app in its_apps:
        await rooms.end_all(services.gateway, app)

    def drop(tx: Transaction) -> None:
        for app in organisations.apps_of(tx, organisation):
            apps.delete(tx, app)
        organisations.delete(tx, organisation)
        _note(tx, caller, "organisation.deleted", organisation)
        tx.after_commit(services.forget_tenancy)

    await services.database.write(drop)
    return Response(status_code=204)


def _note(tx: Transaction, caller: Principal, action: str, about: Organisation) -> None:
    trail.note(tx, caller, action, about.id, organisation_id=about.id, detail={"slug": about.slug})
