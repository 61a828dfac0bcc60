"""`/apps/{app}/events`: the live feed, as server-sent events that can be taken up again where they were left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Annotated, Any

import msgspec
import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from stagedoor.api.access import EventsRead, Needs
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import Services, ServicesDep
from stagedoor.api.wire import EMPTY_IS_ABSENT, NO_NUL, AppRef
from stagedoor.events import store as events_store
from stagedoor.events.metrics import FEED_CLIENTS
from stagedoor.events.nouns import Event
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, room_names
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()
router = APIRouter(prefix=f"{PREFIX}/apps/{{app}}/events", tags=["Live feed"])

_needs = Needs("events:read")
HEARTBEAT_SECONDS = 15.0
"""After so long a silence a comment is sent, so that proxies keep the connection and a dead one is noticed."""

_EXAMPLE = (
    "id: 42\nevent: participant.joined\n"
    'data: {"id":42,"type":"participant.joined","app":"live","room":"demo","livekitRoom":"live-demo",'
    '"session":"ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC","at":"2026-01-31T12:00:00.000Z","origin":"webhook",'
    '"subject":"phone-42","detail":{"sid":"PA_5vQ2mT8xYb1c"}}\n\n'
)


@router.get(
    "",
    summary="Follow the live feed",
    response_class=StreamingResponse,
    responses=documented(401, 403, 404, 422, 429, 503)
    | {
        200: {
            "description": "Events for as long as the connection lasts",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    },
)
async def follow_events(
    request: Request,
    services: ServicesDep,
    caller: EventsRead,
    app: AppRef,
    room: Annotated[
        str | None,
        Query(
            max_length=256,
            pattern=NO_NUL,
            description="Only this room's, by short or LiveKit name.",
            examples=["demo"],
        ),
    ] = None,
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0,
            le=2**63 - 1,
            description="Go on after the event with this id; without it, what happens from now on. 0 is the beginning.",
            examples=[42],
        ),
        EMPTY_IS_ABSENT,
    ] = None,
    after: Annotated[
        int | None,
        Query(ge=0, le=2**63 - 1, description="The same for callers that can't set a header.", examples=[42]),
        EMPTY_IS_ABSENT,
    ] = None,
) -> StreamingResponse:
    """Each event has an `id`, its type as `event`, and JSON as `data`. Nothing is left out and nothing comes twice.

    The connection ends when the key does.
    """

    def look(tx: Transaction) -> tuple[App, int, str | None]:
        found = apps.get(tx, caller, app)
        only = room_names.livekit_name(found.slug, room) if room is not None else None
        return found, events_store.last_seq(tx, found.id), only

    found, newest, only = await services.database.read(look)
    given = last_event_id if last_event_id is not None else after
    stack = ExitStack()
    place = stack.enter_context(services.feed.subscribe(found.id))
    FEED_CLIENTS.set(services.feed.clients)
    # A number that no event has yet is of another database: what happens from now on would be below it, and missed.
    start = newest if given is None else min(given, newest)
    batches = services.feed.follow(place, start, only, HEARTBEAT_SECONDS)
    return _FeedResponse(_stream(request, services, batches, found), stack)


class _FeedResponse(StreamingResponse):
    """The feed; it gives its place back however the connection ends, even when that is before the first byte."""

    def __init__(self, content: AsyncIterator[bytes], place: ExitStack) -> None:
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


async def _stream(
    request: Request, services: Services, batches: AsyncIterator[list[Event]], app: App
) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    async for batch in batches:
        if not await _still_allowed(request, services, app):
            return
        yield b"".join(_frames(app, batch)) if batch else b": nothing new\n\n"
        if await request.is_disconnected():
            return


async def _still_allowed(request: Request, services: Services, app: App) -> bool:
    """False once the key was revoked or has expired, or the app is gone."""
    try:
        caller = await _needs(request)
        await services.database.read(lambda tx: apps.get(tx, caller, app.id))
    except Problem:
        return False
    except StorageUnavailable:
        pass  # the reader waits for the database, as the feed does
    return True


def _frames(app: App, batch: list[Event]) -> Iterator[bytes]:
    """The events of a batch. One that cannot be written is passed over, because a reader that comes back after the
    last event it saw would stop at it for ever."""
    for event in batch:
        try:
            yield _frame(app, event)
        except Exception:  # noqa: BLE001 - whatever is wrong with one event, the others are not to be lost with it
            _log.exception("feed_event_skipped", seq=event.seq, type=event.type)


def _frame(app: App, event: Event) -> bytes:
    data = msgspec.json.encode(event_body(app, event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), data)


def event_body(app: App, event: Event) -> dict[str, Any]:
    """An event as the feed carries it; `room` is null for one that is about no room."""
    services = room_names.split(event.livekit_room)
    return {
        "id": event.seq,
        "type": event.type,
        "app": app.slug,
        "room": services[1] if services else None,
        "livekitRoom": event.livekit_room,
        "session": event.session_id,
        "at": rfc3339(event.at),
        "origin": event.origin,
        "subject": event.subject,
        "detail": event.detail,
    }
