"""`/apps`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field, StringConstraints

from stagedoor.api.access import AppsRead, AppsWrite
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Cursor, Data, Limit, Name, Page, RequestModel, ResponseModel, page
from stagedoor.audit import store as trail
from stagedoor.inbox import store as inbox
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.durations import PATTERN as DURATION_PATTERN
from stagedoor.kernel.durations import format_duration, parse_duration
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.kernel.wording import form
from stagedoor.rooms import rooms
from stagedoor.rooms import store as rooms_store
from stagedoor.sources.cameras.intake import LARGEST_FRAME
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations, store
from stagedoor.tenancy.nouns import App, AppSettings, CameraBridge, CameraConflict, TranscriptPolicy
from stagedoor.tenancy.principals import Principal

router = APIRouter(prefix=f"{PREFIX}/apps", tags=["Apps"])

_LONGEST_TTL = 30 * 86_400
_SHORTEST_RETENTION = 3_600


def _max_ttl(text: str) -> str:
    if parse_duration(text) > _LONGEST_TTL:
        raise ValueError("it is at most 30d")
    return text


_ANCESTOR = form(
    r"^(\*|'self'|https?://[A-Za-z0-9*.:\[\]-]+)$", "it is an origin such as https://www.example.com, or * or 'self'"
)
Ancestor = Annotated[str, StringConstraints(pattern=_ANCESTOR, max_length=200)]
MaxTtl = Annotated[str, StringConstraints(pattern=DURATION_PATTERN), AfterValidator(_max_ttl)]


def _long_enough(text: str) -> str:
    if parse_duration(text) < _SHORTEST_RETENTION:
        raise ValueError("it is at least 1h: LiveKit may send an event again for some time")
    return text


Retention = Annotated[str, StringConstraints(pattern=DURATION_PATTERN), AfterValidator(_long_enough)]


def _up_to(longest: str, shortest: str = "1s") -> AfterValidator:
    def check(text: str) -> str:
        if not parse_duration(shortest) <= parse_duration(text) <= parse_duration(longest):
            raise ValueError(f"it is {shortest} to {longest}")
        return text

    return AfterValidator(check)


CameraIdle = Annotated[str, StringConstraints(pattern=DURATION_PATTERN), _up_to("1h", "2s")]
CameraResume = Annotated[str, StringConstraints(pattern=DURATION_PATTERN), _up_to("1h")]
_CAMERA = {
    "camera_limit": "Cameras that the app may have.",
    "camera_max_fps": "Frames a second that are taken from a camera; what is more is dropped.",
    "camera_max_frame_bytes": "Bytes of the largest frame that is taken; a larger one ends the connection.",
    "camera_idle_timeout": "How long a camera may send no frame; 2s to 1h.",
    "camera_query_key": "Whether a camera may send its key as `key` in the URL, where proxies may log it.",
    "camera_conflict": "What happens to a camera that comes to a room where another one sends: `refuse` answers 409,"
    " `takeover` ends the other one.",
    "camera_bridge": "When a camera's frames become a WebRTC track in its room: `off` never, `demand` while somebody is"
    " there by WebRTC, `always` while it sends.",
    "camera_slate": "Whether viewers see a picture that says so while a camera is not there; without it, 404.",
    "camera_resume": "How long viewers stay connected after a camera went away; at most 1h.",
    "camera_max_viewers": "Viewers of a room's frames at a time, on each node.",
}
_TRANSCRIPT = "What is recorded of every session: speech that agents transcribe, and chat."


class SettingsBody(ResponseModel):
    """What an app decides for its rooms."""

    playback_policy: Literal["signed", "public"] = Field(
        description="`signed`: only links with a signed token may watch. `public`: everybody may.",
        examples=["signed"],
    )
    frame_ancestors: list[str] | None = Field(
        description="Origins that may show the pages in a frame. null: anybody may frame /embed, nobody the others.",
        examples=[["https://www.example.com"]],
    )
    max_token_ttl: str = Field(description="Longest life of a join token.", examples=["1d"])
    transcript: TranscriptPolicy = Field(description=_TRANSCRIPT, examples=["off"])
    transcript_retention: str | None = Field(
        description="How long after its end a transcript is kept; null keeps it.", examples=["90d"]
    )
    event_retention: str | None = Field(description="How long events are kept; null keeps them.", examples=["90d"])
    camera_limit: int = Field(description=_CAMERA["camera_limit"], examples=[100])
    camera_max_fps: int = Field(description=_CAMERA["camera_max_fps"], examples=[30])
    camera_max_frame_bytes: int = Field(description=_CAMERA["camera_max_frame_bytes"], examples=[524_288])
    camera_idle_timeout: str = Field(description=_CAMERA["camera_idle_timeout"], examples=["30s"])
    camera_query_key: bool = Field(description=_CAMERA["camera_query_key"], examples=[False])
    camera_conflict: CameraConflict = Field(description=_CAMERA["camera_conflict"], examples=["refuse"])
    camera_bridge: CameraBridge = Field(description=_CAMERA["camera_bridge"], examples=["demand"])
    camera_slate: bool = Field(description=_CAMERA["camera_slate"], examples=[False])
    camera_resume: str = Field(description=_CAMERA["camera_resume"], examples=["30s"])
    camera_max_viewers: int = Field(description=_CAMERA["camera_max_viewers"], examples=[1_000])


class SettingsChange(RequestModel):
    """Settings to change; what is left out stays."""

    playback_policy: Literal["signed", "public"] | None = Field(
        default=None,
        description="`signed`: only links with a signed token may watch. `public`: everybody may.",
        examples=["public"],
    )
    frame_ancestors: list[Ancestor] | None = Field(
        default=None,
        max_length=50,
        description="Origins that may show the pages in a frame; null goes back to the default.",
        examples=[["https://www.example.com"]],
    )
    max_token_ttl: MaxTtl | None = Field(
        default=None, description="Longest life of a join token, 30d at the most.", examples=["12h"]
    )
    transcript: TranscriptPolicy | None = Field(default=None, description=_TRANSCRIPT, examples=["speech"])
    transcript_retention: Retention | None = Field(
        default=None, description="How long after its end a transcript is kept; null keeps it.", examples=["90d"]
    )
    event_retention: Retention | None = Field(
        default=None,
        description="How long events are kept, LiveKit's own among them; null keeps them.",
        examples=["90d"],
    )
    camera_limit: int | None = Field(
        default=None, ge=0, le=100_000, description=_CAMERA["camera_limit"], examples=[100]
    )
    camera_max_fps: int | None = Field(default=None, ge=1, le=120, description=_CAMERA["camera_max_fps"], examples=[15])
    camera_max_frame_bytes: int | None = Field(
        default=None, ge=1_024, le=LARGEST_FRAME, description=_CAMERA["camera_max_frame_bytes"], examples=[262_144]
    )
    camera_idle_timeout: CameraIdle | None = Field(
        default=None, description=_CAMERA["camera_idle_timeout"], examples=["30s"]
    )
    camera_query_key: bool | None = Field(default=None, description=_CAMERA["camera_query_key"], examples=[True])
    camera_conflict: CameraConflict | None = Field(
        default=None, description=_CAMERA["camera_conflict"], examples=["takeover"]
    )
    camera_bridge: CameraBridge | None = Field(default=None, description=_CAMERA["camera_bridge"], examples=["always"])
    camera_slate: bool | None = Field(default=None, description=_CAMERA["camera_slate"], examples=[True])
    camera_resume: CameraResume | None = Field(default=None, description=_CAMERA["camera_resume"], examples=["1m"])
    camera_max_viewers: int | None = Field(
        default=None, ge=0, le=100_000, description=_CAMERA["camera_max_viewers"], examples=[50]
    )


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
    settings = app.settings
    return AppBody(
        id=app.id,
        organisation=app.organisation_id,
        slug=app.slug,
        name=app.name,
        settings=SettingsBody(
            playback_policy=settings.playback_policy,
            frame_ancestors=None if settings.frame_ancestors is None else list(settings.frame_ancestors),
            max_token_ttl=format_duration(settings.max_token_ttl),
            transcript=settings.transcript,
            transcript_retention=_duration(settings.transcript_retention),
            event_retention=_duration(settings.event_retention),
            camera_limit=settings.camera_limit,
            camera_max_fps=settings.camera_max_fps,
            camera_max_frame_bytes=settings.camera_max_frame_bytes,
            camera_idle_timeout=format_duration(settings.camera_idle_timeout),
            camera_query_key=settings.camera_query_key,
            camera_conflict=settings.camera_conflict,
            camera_bridge=settings.camera_bridge,
            camera_slate=settings.camera_slate,
            camera_resume=format_duration(settings.camera_resume),
            camera_max_viewers=settings.camera_max_viewers,
        ),
        created_at=rfc3339(app.created_at),
        updated_at=rfc3339(app.updated_at),
    )


def _settings(before: AppSettings, change: SettingsChange) -> AppSettings:
    ancestors = before.frame_ancestors
    if "frame_ancestors" in change.model_fields_set:
        ancestors = None if change.frame_ancestors is None else tuple(change.frame_ancestors)
    return AppSettings(
        playback_policy=change.playback_policy or before.playback_policy,
        frame_ancestors=ancestors,
        max_token_ttl=parse_duration(change.max_token_ttl) if change.max_token_ttl else before.max_token_ttl,
        transcript=change.transcript or before.transcript,
        transcript_retention=_changed(change, "transcript_retention", before.transcript_retention),
        event_retention=_changed(change, "event_retention", before.event_retention),
        **{name: _camera(name, getattr(change, name), getattr(before, name)) for name in _CAMERA},
    )


def _camera(name: str, given: Any, before: Any) -> Any:
    """A setting of cameras; what is left out stays, and a duration is kept in seconds."""
    if given is None:
        return before
    return parse_duration(given) if name in {"camera_idle_timeout", "camera_resume"} else given


def _changed(change: SettingsChange, field: str, before: int | None) -> int | None:
    """A duration in seconds; null takes it away, and leaving it out leaves it."""
    if field not in change.model_fields_set:
        return before
    given: str | None = getattr(change, field)
    return None if given is None else parse_duration(given)


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else format_duration(seconds)


@router.post("", status_code=201, summary="Create an app", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def create_app(services: ServicesDep, caller: AppsWrite, body: NewApp) -> Data[AppBody]:
    """The key must not be bound to one app. What LiveKit told before of rooms of the app's name is taken in now."""
    if caller.app_id is not None:
        raise NotFound("There is no such organisation.", code="organisation_not_found")

    def make(tx: Transaction) -> App:
        reference = body.organisation or caller.organisation_id or "default"
        organisation = organisations.get(tx, caller, reference)
        made = apps.create(tx, organisation, body.slug, body.name, _settings(AppSettings(), body.settings))
        _note(tx, caller, "app.created", made)
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
            description="Only this organisation's (slug or id).",
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
    """Fields that are left out stay as they are. The slug can't be changed: LiveKit's room names begin with it."""

    def change(tx: Transaction) -> App:
        before = apps.get(tx, caller, app)
        settings = _settings(before.settings, body.settings) if body.settings else None
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

    Another organisation can't take the slug while a join token for the app's rooms may still live.
    """

    def look(tx: Transaction) -> tuple[App, int]:
        found = apps.get(tx, caller, app)
        return found, rooms_store.count_open_sessions(tx, found.id)

    found, live = await services.database.read(look)
    if live and not force:
        raise Conflict(
            f"{live} of the app's rooms are live; end them first, or use force=true.",
            code="app_has_live_rooms",
            extra={"liveRooms": live},
        )
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
