"""`/apps/{app}/ws-ingest`: cameras that push JPEG frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints

from stagedoor.access.grants import time_to_live
from stagedoor.api.addresses import FrameAddresses, frames_url, is_public, page_path, watching_urls
from stagedoor.api.authentication import CamerasRead, CamerasWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    AppRef,
    Cursor,
    Data,
    Limit,
    Name,
    Page,
    RequestModel,
    ResponseModel,
    Text,
    page,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.durations import PATTERN as DURATION_PATTERN
from stagedoor.services.services import Services
from stagedoor.sources.cameras import registry, store
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.room_names import livekit_name, short_name

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/ws-ingest", tags=["Cameras"])

CameraRef = Annotated[
    str,
    Path(
        alias="camera",
        max_length=64,
        pattern=NO_NUL,
        description="The camera's id.",
        examples=["cam_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]
LinkTtl = Annotated[
    str | None,
    Query(
        pattern=DURATION_PATTERN,
        description="How long the answer's addresses work: 90s, 10m, 1h, 2d. The app sets the maximum.",
        examples=["1h"],
    ),
]
Identity = Annotated[str, Field(min_length=1, max_length=256, pattern=NO_NUL)]
_HOST = "stagedoor.example.com"


class CameraBody(ResponseModel):
    """A device that may push frames into a room, without its key."""

    id: str = Field(description="Identifier.", examples=["cam_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    name: str = Field(description="Name for people.", examples=["Front door"])
    room: str = Field(description="The room's LiveKit name.", examples=["live-door"])
    short_room: str = Field(description="The room's short name.", examples=["door"])
    identity: str = Field(description="Its participant's identity, when it is bridged.", examples=["camera"])
    hint: str = Field(description="The last characters of its key.", examples=["x9Qk"])
    enabled: bool = Field(description="Whether it may send.", examples=[True])
    live: bool = Field(description="Whether it sends now.", examples=[True])
    bridged: bool = Field(description="Whether its frames are a WebRTC track of the room now.", examples=[False])
    viewers: int = Field(description="Who looks at its room's frames on the node that answers.", examples=[3])
    stats: dict[str, Any] | None = Field(
        description="The statistics that the device last sent on this connection, unchanged; null without any.",
        examples=[{"rssi": -61, "uptime": 3600}],
    )
    dropped: int = Field(
        description="Frames of this connection that were dropped, because more came than the app's `cameraMaxFps`.",
        examples=[0],
    )
    rejected: int = Field(
        description="Messages of this connection that were dropped, because they were no frame that can be taken. Of a"
        " camera that posts its frames, those that were refused before it was live count too.",
        examples=[0],
    )
    last_rejection: str | None = Field(
        description="What was wrong with the last of them; null without one.",
        examples=["it breaks off: no end-of-image marker (ffd9) in 15000 bytes"],
    )
    ws_url: str = Field(
        description="Where it connects to, with its key.",
        examples=[f"wss://{_HOST}/ingest/ws?app=live&room=live-door"],
    )
    viewer_ws_url: str = Field(
        description="Its frames by WebSocket. This address and the next four work as they are, until `expiresAt`.",
        examples=[f"wss://{_HOST}/live/ws?app=live&room=live-door&token=eyJh"],
    )
    mjpeg_url: str = Field(
        description="Its frames as MJPEG.", examples=[f"https://{_HOST}/live/live/live-door/mjpeg?token=eyJh"]
    )
    frame_url: str = Field(
        description="Its newest frame.", examples=[f"https://{_HOST}/live/live/live-door/frame.jpg?token=eyJh"]
    )
    play_url: str = Field(
        description="The page that shows it.", examples=[f"https://{_HOST}/play/live/live-door?token=eyJh"]
    )
    embed_url: str = Field(
        description="The same to be shown in a frame.", examples=[f"https://{_HOST}/embed/live/live-door?token=eyJh"]
    )
    expires_at: str | None = Field(
        description="When the token in these addresses ends; null when they have none: the app's playback is public,"
        " or the API key has neither `rooms:read` nor `cameras:write`, so that it may not watch.",
        examples=["2026-01-31T13:00:00.000Z"],
    )
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])
    last_seen_at: str | None = Field(
        description="When it last connected or went away; null if never.", examples=["2026-01-31T12:00:00.000Z"]
    )


class NewCameraBody(CameraBody):
    """With the key, which is shown this once."""

    stream_key: str = Field(
        description="The device's key. It cannot be had again.",
        examples=["wsk_C2FVsBQIhrscChlQIMV-b5sSYspob7oDC2FVsBQIhrs"],
    )


class NewCamera(RequestModel):
    """A camera to create."""

    room: Text = Field(
        min_length=1, max_length=256, description="The room, by short or LiveKit name.", examples=["door"]
    )
    identity: Identity | None = Field(
        default=None,
        description="Its participant's identity, when it is bridged; `camera` if not given.",
        examples=["camera"],
    )
    name: Name | None = Field(
        default=None, description="Name for people; the identity if not given.", examples=["Front door"]
    )
    ttl: Annotated[str, StringConstraints(pattern=DURATION_PATTERN)] | None = Field(
        default=None,
        description="How long the answer's addresses work: 90s, 10m, 1h, 2d. The app sets the maximum.",
        examples=["1h"],
    )


class CameraChange(RequestModel):
    """What to change of a camera; what is left out stays."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["Front door"])
    identity: Identity | None = Field(
        default=None, description="Its participant's identity, from its next connection on.", examples=["camera"]
    )
    enabled: bool | None = Field(
        default=None, description="Whether it may send; false ends its connection.", examples=[False]
    )


@dataclass(frozen=True, slots=True)
class _Viewing:
    """Whose addresses an answer has.

    Attributes:
        ttl: Seconds that their token lives; `None` for addresses without one, for a caller that may not watch.
    """

    app: App
    ttl: int | None


def _viewing(caller: Principal, app: App, ttl: str | None = None) -> _Viewing:
    """The addresses that the caller gets: a key that may only list cameras is no permission to watch them."""
    may_watch = bool(caller.scopes & {"rooms:read", "cameras:write"})
    return _Viewing(app, time_to_live(app, ttl, ends_by=caller.expires_at) if may_watch else None)


def _addresses(services: Services, viewing: _Viewing, room: str) -> dict[str, str | None]:
    app, ttl = viewing.app, viewing.ttl
    plain = FrameAddresses(services.public_url, app.slug, room)
    if ttl is None or is_public(app):
        return {
            "viewer_ws_url": plain.viewer_socket,
            "mjpeg_url": plain.mjpeg,
            "frame_url": plain.frame,
            "play_url": services.public_url + page_path("play", app, room),
            "embed_url": services.public_url + page_path("embed", app, room),
            "expires_at": None,
        }
    play, embed = watching_urls(services, app, room, ttl)
    return {
        "viewer_ws_url": frames_url(services, "ws", app, room, ttl),
        "mjpeg_url": frames_url(services, "mjpeg", app, room, ttl),
        "frame_url": frames_url(services, "frame", app, room, ttl),
        "play_url": play,
        "embed_url": embed,
        "expires_at": rfc3339(now_ms() + ttl * 1000),
    }


async def _fields(services: Services, viewing: _Viewing, found: list[Camera]) -> list[dict[str, Any]]:
    other_nodes = await services.other_nodes.senders({camera.livekit_room for camera in found})
    return [_described(services, viewing, camera, other_nodes) for camera in found]


def _described(services: Services, viewing: _Viewing, camera: Camera, other_nodes: dict[str, str]) -> dict[str, Any]:
    room = camera.livekit_room
    sending = services.cameras.find(room)
    here = sending if sending is not None and sending.camera.id == camera.id else None
    return {
        "id": camera.id,
        "name": camera.name,
        "room": room,
        "short_room": short_name(room),
        "identity": camera.identity,
        "hint": camera.hint,
        "enabled": camera.enabled,
        "live": here is not None or other_nodes.get(room) == camera.id,
        "bridged": here is not None and services.bridges.is_bridged(room),
        "viewers": services.frame_viewers.viewers(room),
        "stats": dict(here.stats) if here is not None and here.stats else None,
        "dropped": 0 if here is None else here.intake.dropped,
        **_rejections(services, camera, here),
        "ws_url": FrameAddresses(services.public_url, viewing.app.slug, room).camera_socket,
        **_addresses(services, viewing, room),
        "created_at": rfc3339(camera.created_at),
        "updated_at": rfc3339(camera.updated_at),
        "last_seen_at": when(camera.last_seen_at),
    }


def _rejections(services: Services, camera: Camera, live: LiveCamera | None) -> dict[str, Any]:
    if live is not None:
        last = live.intake.rejection
        return {"rejected": live.intake.rejected, "last_rejection": None if last is None else last.message}
    refused = services.http_ingest.refused(camera.id)
    if refused is None:
        return {"rejected": 0, "last_rejection": None}
    return {"rejected": refused.count, "last_rejection": refused.last.message}


async def _body(services: Services, viewing: _Viewing, camera: Camera) -> CameraBody:
    return CameraBody.model_validate((await _fields(services, viewing, [camera]))[0])


async def _new_body(services: Services, viewing: _Viewing, camera: Camera, key: str) -> Data[NewCameraBody]:
    fields = (await _fields(services, viewing, [camera]))[0]
    return Data(data=NewCameraBody.model_validate(fields | {"stream_key": key}))


def _note(tx: Transaction, caller: Principal, action: str, app: App, camera: Camera) -> None:
    detail = {"room": camera.livekit_room, "name": camera.name}
    trail.note(tx, caller, action, camera.id, organisation_id=app.organisation_id, app_id=app.id, detail=detail)


@router.post(
    "", status_code=201, summary="Create a camera", responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503)
)
async def create_camera(
    services: ServicesDep, caller: CamerasWrite, app: AppRef, body: NewCamera
) -> Data[NewCameraBody]:
    """Its key is in the answer, this once. The device connects to `wsUrl` and sends one JPEG a binary message; the
    other addresses work in a browser or player as they are, for `ttl`."""

    def make(tx: Transaction) -> tuple[_Viewing, Camera, str]:
        found = apps.get(tx, caller, app)
        viewing = _viewing(caller, found, body.ttl)
        camera, key = registry.create(tx, found, body.room, body.identity, body.name)
        _note(tx, caller, "camera.created", found, camera)
        return viewing, camera, key

    return await _new_body(services, *await services.database.write(make))


@router.get("", summary="List cameras", responses=documented(401, 403, 404, 422, 503))
async def list_cameras(
    services: ServicesDep,
    caller: CamerasRead,
    app: AppRef,
    room: Annotated[
        str | None,
        Query(
            max_length=256,
            pattern=NO_NUL,
            description="Only cameras of this room, by short or LiveKit name.",
            examples=["door"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    ttl: LinkTtl = None,
) -> Page[CameraBody]:
    """Oldest first, without their keys."""

    def look(tx: Transaction) -> tuple[App, list[Camera]]:
        found = apps.get(tx, caller, app)
        only = None if room is None else livekit_name(found.slug, room)
        return found, store.list_cameras(tx, found.id, livekit_room=only, after=cursor, limit=limit + 1)

    found, cameras = await services.database.read(look)
    viewing = _viewing(caller, found, ttl)
    bodies = [CameraBody.model_validate(fields) for fields in await _fields(services, viewing, cameras)]
    return page(bodies, limit, lambda item: item.id)


@router.get("/{camera}", summary="Get a camera", responses=documented(401, 403, 404, 422, 503))
async def get_camera(
    services: ServicesDep, caller: CamerasRead, app: AppRef, camera_id: CameraRef, ttl: LinkTtl = None
) -> Data[CameraBody]:
    """Without its key."""

    def look(tx: Transaction) -> tuple[App, Camera]:
        found = apps.get(tx, caller, app)
        return found, registry.get(tx, found, camera_id)

    found, camera = await services.database.read(look)
    return Data(data=await _body(services, _viewing(caller, found, ttl), camera))


@router.patch("/{camera}", summary="Change a camera", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def change_camera(
    services: ServicesDep, caller: CamerasWrite, app: AppRef, camera_id: CameraRef, body: CameraChange
) -> Data[CameraBody]:
    """One that is disabled is disconnected (4401) and refused (403) until it is enabled again."""

    def change(tx: Transaction) -> tuple[App, Camera]:
        found = apps.get(tx, caller, app)
        after = registry.change(tx, found, camera_id, name=body.name, identity=body.identity, enabled=body.enabled)
        _note(tx, caller, "camera.changed", found, after)
        tx.after_commit(services.forget_cameras)
        return found, after

    found, camera = await services.database.write(change)
    return Data(data=await _body(services, _viewing(caller, found), camera))


@router.post(
    "/{camera}/rotate", summary="Renew a camera's key", responses=documented(400, 401, 403, 404, 409, 413, 422, 503)
)
async def rotate_camera(
    services: ServicesDep, caller: CamerasWrite, app: AppRef, camera_id: CameraRef
) -> Data[NewCameraBody]:
    """The old key opens nothing any more, and its connection ends (4401)."""

    def rotate(tx: Transaction) -> tuple[App, Camera, str]:
        found = apps.get(tx, caller, app)
        camera, key = registry.rotate(tx, found, camera_id)
        _note(tx, caller, "camera.rotated", found, camera)
        tx.after_commit(services.forget_cameras)
        return found, camera, key

    found, camera, key = await services.database.write(rotate)
    return await _new_body(services, _viewing(caller, found), camera, key)


@router.delete("/{camera}", status_code=204, summary="Delete a camera", responses=documented(401, 403, 404, 422, 503))
async def delete_camera(services: ServicesDep, caller: CamerasWrite, app: AppRef, camera_id: CameraRef) -> Response:
    """Its connection ends (4401), and its key opens nothing any more."""

    def remove(tx: Transaction) -> None:
        found = apps.get(tx, caller, app)
        _note(tx, caller, "camera.deleted", found, registry.remove(tx, found, camera_id))
        tx.after_commit(services.forget_cameras)

    await services.database.write(remove)
    return Response(status_code=204)
