"""`/apps`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from stagedoor.api import app_settings
from stagedoor.api.app_settings import SettingsBody, SettingsChange
from stagedoor.api.authentication import AppsRead, AppsWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Cursor, Data, Limit, Name, Page, RequestModel, ResponseModel, page
from stagedoor.audit import store as trail
from stagedoor.inbox import store as inbox
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.rooms import presence, rooms
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations, store
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps", tags=["Apps"])


class AppBody(ResponseModel):
    """A namespace of rooms."""

    id: str = Field(description="Identifier.", examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    organisation: str = Field(description="The organisation's id.", examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    slug: str = Field(description="Name in URLs and the prefix of its LiveKit rooms.", examples=["live"])
    name: str = Field(description="Name for people.", examples=["Live"])
    settings: SettingsBody = Field(description="What the app decides for its rooms.")
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


class NewApp(RequestModel):
    """An app to create."""

    slug: str = Field(
        pattern=apps.SLUG_PATTERN,
        description="Lower-case letters, digits and _; unique in the installation.",
        examples=["live"],
    )
    name: Name | None = Field(default=None, description="Name for people; the slug if not given.", examples=["Live"])
    organisation: str | None = Field(
        default=None,
        max_length=64,
        pattern=NO_NUL,
        description="The organisation's slug or id; the key's own if not given.",
        examples=["default"],
    )
    settings: SettingsChange = Field(
        default_factory=SettingsChange, description="Settings that differ from the defaults."
    )


class AppChange(RequestModel):
    """What to change of an app; what is left out stays."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["Live"])
    settings: SettingsChange | None = Field(default=None, description="Settings to change.")


def _body(app: App) -> AppBody:
    return AppBody(
        id=app.id,
        organisation=app.organisation_id,
        slug=app.slug,
        name=app.name,
        settings=app_settings.body_of(app.settings),
        created_at=rfc3339(app.created_at),
        updated_at=rfc3339(app.updated_at),
    )


@router.post(
    "", status_code=201, summary="Create an app", responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503)
)
async def create_app(services: ServicesDep, caller: AppsWrite, body: NewApp) -> Data[AppBody]:
    """The key must not be bound to one app. Events of its rooms that came before are applied now."""
    if caller.app_id is not None:
        raise NotFound("There is no such organisation.", code="organisation_not_found")

    def make(tx: Transaction) -> App:
        reference = body.organisation or caller.organisation_id or "default"
        organisation = organisations.get(tx, caller, reference)
        made = apps.create(tx, organisation, body.slug, body.name, app_settings.changed(AppSettings(), body.settings))
        _note(tx, caller, "app.created", made)
        tx.after_commit(services.directory.forget)  # which knows the slugs that events can be about
        if inbox.claim(tx, f"{made.slug}-"):
            tx.after_commit(services.applier.wake)
        return made

    return Data(data=_body(await services.database.write(make)))


@router.get("", summary="List apps", responses=documented(401, 403, 404, 422, 503))
async def list_apps(
    services: ServicesDep,
    caller: AppsRead,
    organisation: Annotated[
        str | None,
        Query(
            max_length=64,
            pattern=NO_NUL,
            description="Only apps of this organisation, by slug or id.",
            examples=["default"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AppBody]:
    """Those that the key may see."""

    def look(tx: Transaction) -> list[App]:
        only = organisations.get(tx, caller, organisation).id if organisation else None
        return store.list_apps(tx, caller, organisation_id=only, after=cursor, limit=limit + 1)

    found = await services.database.read(look)
    return page([_body(item) for item in found], limit, lambda item: item.id)


@router.get("/{app}", summary="Get an app", responses=documented(401, 403, 404, 422, 503))
async def get_app(services: ServicesDep, caller: AppsRead, app: AppRef) -> Data[AppBody]:
    """By slug or id."""
    return Data(data=_body(await services.database.read(lambda tx: apps.get(tx, caller, app))))


@router.patch("/{app}", summary="Change an app", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def change_app(services: ServicesDep, caller: AppsWrite, app: AppRef, body: AppChange) -> Data[AppBody]:
    """Fields that are left out stay as they are. The slug cannot be changed: LiveKit's room names begin with it."""

    def change(tx: Transaction) -> App:
        before = apps.get(tx, caller, app)
        settings = app_settings.changed(before.settings, body.settings) if body.settings else None
        tx.after_commit(services.forget_tenancy)
        after = apps.update(tx, caller, app, name=body.name, settings=settings)
        _note(tx, caller, "app.changed", after, _changes(before, after))
        return after

    return Data(data=_body(await services.database.write(change)))


@router.delete(
    "/{app}",
    status_code=204,
    summary="Delete an app",
    responses=documented(401, 403, 404, 409, 422, 502, 503),
)
async def delete_app(
    services: ServicesDep,
    caller: AppsWrite,
    app: AppRef,
    force: Annotated[bool, Query(description="End its live rooms too.", examples=[False])] = False,
) -> Response:
    """Deletes the app with its rooms, sessions and keys. One with live rooms is refused unless forced.

    Another organisation cannot take the slug while a join token for the app's rooms may still live.
    """

    def look(tx: Transaction) -> tuple[App, int]:
        found = apps.get(tx, caller, app)
        return found, presence.count_open_sessions(tx, found.id)

    found, live = await services.database.read(look)
    if live and not force:
        raise Conflict(
            f"{live} of the app's rooms are live; end them first, or use force=true.",
            code="app_has_live_rooms",
            extra={"liveRooms": live},
        )
    await services.livekit_ingresses.delete_all(found.id)
    await rooms.end_all(services.gateway, found)

    def drop(tx: Transaction) -> None:
        apps.delete(tx, found)
        _note(tx, caller, "app.deleted", found)
        tx.after_commit(services.forget_tenancy)

    await services.database.write(drop)
    return Response(status_code=204)


def _changes(before: App, after: App) -> dict[str, Any]:
    """What is different, by the API's names: the values before and after."""
    old, new = (_body(app).model_dump(by_alias=True, exclude={"updated_at"}) for app in (before, after))
    old, new = old | old.pop("settings"), new | new.pop("settings")
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}


def _note(tx: Transaction, caller: Principal, action: str, app: App, changes: dict[str, Any] | None = None) -> None:
    detail = {"slug": app.slug} | ({"changed": changes} if changes is not None else {})
    trail.note(tx, caller, action, app.id, organisation_id=app.organisation_id, app_id=app.id, detail=detail)
