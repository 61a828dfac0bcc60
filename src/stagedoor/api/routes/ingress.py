"""`/apps/{app}/ingress`: ways in for media that is not a LiveKit client."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from stagedoor.api.authentication import IngressRead, IngressWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.ingress_bodies import IngressBody, IngressChange, NewIngress, NewIngressBody, body_of, new_body_of
from stagedoor.api.prefix import PREFIX
from stagedoor.api.probe_bodies import Probe, ProbeBody, probe_body_of
from stagedoor.api.problems import documented
from stagedoor.api.services import Services, ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Cursor, Data, Limit, Page, page
from stagedoor.audit import store as trail
from stagedoor.sources.ingress import registry, store
from stagedoor.sources.ingress.closing import CHANGED, DELETED, DISABLED, ROTATED, conclude
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import State
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.room_names import livekit_name

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/ingress", tags=["Ingress"])

IngressRef = Annotated[
    str,
    Path(
        alias="ingress",
        max_length=64,
        pattern=NO_NUL,
        description="The ingress's id.",
        examples=["igr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


def _note(tx: Transaction, caller: Principal, action: str, app: App, ingress: Ingress) -> None:
    detail = {"room": ingress.livekit_room, "inputType": ingress.input_type, "identity": ingress.identity}
    trail.note(tx, caller, action, ingress.id, organisation_id=app.organisation_id, app_id=app.id, detail=detail)


def _state_of(tx: Transaction, ingress: Ingress) -> State | None:
    return store.states_of(tx, [ingress.id]).get(ingress.id)


async def _find(services: Services, caller: Principal, app: str, ingress_id: str) -> Ingress:
    return await services.database.read(lambda tx: registry.get(tx, apps.get(tx, caller, app), ingress_id))


@router.post(
    "",
    status_code=201,
    summary="Create an ingress",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 502, 503),
)
async def create_ingress(
    services: ServicesDep, caller: IngressWrite, app: AppRef, body: NewIngress
) -> Data[NewIngressBody]:
    """Its key is in the answer, this once. What `url` and `streamKey` are for depends on the type: see `url`."""

    def look(tx: Transaction) -> Ingress:
        return registry.plan(tx, apps.get(tx, caller, app), wanted)

    wanted = body.wanted()
    planned = await services.database.read(look)
    run = await services.livekit_ingresses.create(planned, wanted.url) if planned.engine == "livekit" else None
    wanted = replace(wanted, identity=planned.identity)  # as LiveKit has been given it

    def make(tx: Transaction) -> tuple[App, Ingress, str | None]:
        found = apps.get(tx, caller, app)
        ingress, key = registry.create(tx, found, services.sealer, wanted, run)
        _note(tx, caller, "ingress.created", found, ingress)
        tx.after_commit(services.ingress.forget)
        return found, ingress, key

    async with services.livekit_ingresses.stored(run):
        return new_body_of(services, *await services.database.write(make))


@router.get("", summary="List ingresses", responses=documented(401, 403, 404, 422, 503))
async def list_ingresses(
    services: ServicesDep,
    caller: IngressRead,
    app: AppRef,
    room: Annotated[
        str | None,
        Query(
            max_length=256,
            pattern=NO_NUL,
            description="Only this room's, by short or LiveKit name.",
            examples=["stage"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[IngressBody]:
    """Oldest first, without their keys."""

    def look(tx: Transaction) -> tuple[App, list[Ingress], dict[str, State]]:
        found = apps.get(tx, caller, app)
        only = None if room is None else livekit_name(found.slug, room)
        ingresses = store.list_ingresses(tx, found.id, livekit_room=only, after=cursor, limit=limit + 1)
        return found, ingresses, store.states_of(tx, [ingress.id for ingress in ingresses])

    found, ingresses, states = await services.database.read(look)
    bodies = [body_of(services, found, ingress, states.get(ingress.id)).data for ingress in ingresses]
    return page(bodies, limit, lambda item: item.ingress_id)


@router.post("/probe", summary="Look at a URL", responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503))
async def probe_url(services: ServicesDep, caller: IngressWrite, app: AppRef, body: Probe) -> Data[ProbeBody]:
    """Says what is at a URL, whether an ingress that pulls it would pass it through, and what to change in the camera.
    Takes some seconds; creates nothing. What cannot be connected to or read is an answer too, with `error`."""
    found = await services.database.read(lambda tx: apps.get(tx, caller, app))
    return probe_body_of(body.url, await services.probes.probe(found, body.url))


@router.get("/{ingress}", summary="Get an ingress", responses=documented(401, 403, 404, 422, 503))
async def get_ingress(
    services: ServicesDep, caller: IngressRead, app: AppRef, ingress_id: IngressRef
) -> Data[IngressBody]:
    """With its state, and without its key."""

    def look(tx: Transaction) -> tuple[App, Ingress, State | None]:
        found = apps.get(tx, caller, app)
        ingress = registry.get(tx, found, ingress_id)
        return found, ingress, _state_of(tx, ingress)

    found, ingress, state = await services.database.read(look)
    if ingress.engine == "livekit":
        state = await services.livekit_ingresses.refresh(ingress, state)
    return body_of(services, found, ingress, state)


@router.patch(
    "/{ingress}", summary="Change an ingress", responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503)
)
async def change_ingress(
    services: ServicesDep, caller: IngressWrite, app: AppRef, ingress_id: IngressRef, body: IngressChange
) -> Data[IngressBody]:
    """One that is disabled, or moved to another room, ends its stream at once."""
    changes = body.changes()

    def look(tx: Transaction) -> tuple[Ingress, Ingress]:
        return registry.changed(tx, apps.get(tx, caller, app), ingress_id, changes)

    old, new = await services.database.read(look)
    run = await services.livekit_ingresses.change(old, new, changes.url) if old.engine == "livekit" else None

    def change(tx: Transaction) -> tuple[App, Ingress, State | None]:
        found = apps.get(tx, caller, app)
        before = registry.get(tx, found, ingress_id)
        after = registry.change(tx, found, services.sealer, ingress_id, changes, run)
        if not after.enabled:
            conclude(tx, services.feed, before, DISABLED)
        elif after.livekit_room != before.livekit_room or changes.url is not None:
            conclude(tx, services.feed, before, CHANGED)
        tx.after_commit(services.ingress.forget)
        _note(tx, caller, "ingress.changed", found, after)
        return found, after, _state_of(tx, after)

    async with services.livekit_ingresses.stored(run):
        found, after, state = await services.database.write(change)
    if run is not None:
        await services.livekit_ingresses.delete(old)
    return body_of(services, found, after, state)


@router.post(
    "/{ingress}/rotate",
    summary="Renew an ingress's key",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def rotate_ingress(
    services: ServicesDep, caller: IngressWrite, app: AppRef, ingress_id: IngressRef
) -> Data[NewIngressBody]:
    """The old key opens nothing any more, and its stream ends."""

    old = await _find(services, caller, app, ingress_id)
    registry.check_has_key(old)
    run = await services.livekit_ingresses.replace(old) if old.engine == "livekit" else None

    def rotate(tx: Transaction) -> tuple[App, Ingress, str, State | None]:
        found = apps.get(tx, caller, app)
        ingress, key = registry.rotate(tx, found, ingress_id, run)
        conclude(tx, services.feed, ingress, ROTATED)
        tx.after_commit(services.ingress.forget)
        _note(tx, caller, "ingress.rotated", found, ingress)
        return found, ingress, key, _state_of(tx, ingress)

    async with services.livekit_ingresses.stored(run):
        found, ingress, key, state = await services.database.write(rotate)
    if run is not None:
        await services.livekit_ingresses.delete(old)
    return new_body_of(services, found, ingress, key, state)


@router.delete(
    "/{ingress}", status_code=204, summary="Delete an ingress", responses=documented(401, 403, 404, 409, 422, 502, 503)
)
async def delete_ingress(services: ServicesDep, caller: IngressWrite, app: AppRef, ingress_id: IngressRef) -> Response:
    """Its stream ends at once, and its key opens nothing any more."""

    old = await _find(services, caller, app, ingress_id)
    if old.engine == "livekit":
        await services.livekit_ingresses.delete(old)

    def remove(tx: Transaction) -> None:
        found = apps.get(tx, caller, app)
        ingress = registry.get(tx, found, ingress_id)
        conclude(tx, services.feed, ingress, DELETED)
        registry.remove(tx, ingress)
        tx.after_commit(services.ingress.forget)
        _note(tx, caller, "ingress.deleted", found, ingress)

    await services.database.write(remove)
    return Response(status_code=204)
