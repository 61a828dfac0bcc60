"""`/apps/{app}/events`: the live feed, as server-sent events that can be taken up again where they were left."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from stagedoor.api.authentication import EventsRead, Needs
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.live.raw_writer import pipe_of
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import EMPTY_IS_ABSENT, NO_NUL, AppRef
from stagedoor.events import store as events_store
from stagedoor.events.feed import Batch, Reader
from stagedoor.events.metrics import FEED_CLIENTS
from stagedoor.events.nouns import FeedEvent
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, room_names
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal

_log = structlog.get_logger()
router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/events", tags=["Live feed"])

_needs = Needs("events:read")
HEARTBEAT_SECONDS = 15.0
"""After so long a silence a comment is sent, so that proxies keep the connection and a dead one is noticed."""

UNSENT_BYTES: Final = 256 * 1024
"""What may wait in the connection of a slow reader. Beyond that it is given events at its own pace, from the store."""

_TRUSTED_SECONDS: Final = 1.0
"""How long a key is taken to be as it was, where another node may have changed it."""

_encoder: Final = msgspec.json.Encoder()

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
            description="Only events of this room, by short or LiveKit name.",
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
        Query(ge=0, le=2**63 - 1, description="The same for callers that cannot set a header.", examples=[42]),
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
    # A number that no event has yet is of another database: what happens from now on would be below it, and missed.
    start = newest if given is None else min(given, newest)
    reader = stack.enter_context(services.feed.subscribe(found.id, start, only))
    FEED_CLIENTS.set(services.feed.clients)
    connection = _Connection(request, services, found, caller)
    return _FeedResponse(connection.stream(reader), stack)


class _FeedResponse(StreamingResponse):
    """The feed; it gives its place back however the connection ends, even when that is before the first byte."""

    def __init__(self, content: AsyncIterator[bytes], place: ExitStack) -> None:
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


class _Connection:
    """One reader's connection: what goes over it, and for how long its key opens it."""

    def __init__(self, request: Request, services: Services, app: App, caller: Principal) -> None:
        self._request = request
        self._services = services
        self._app = app
        # What has no length is sent in chunks, which HTTP/1.0 does not know.
        self._writer = pipe_of(request.scope) if request.scope["http_version"] == "1.1" else None
        self._generation = -1
        self._expires_at = self._trusted_until = math.inf
        self._admitted(caller)

    async def stream(self, reader: Reader) -> AsyncIterator[bytes]:
        """What is sent the usual way: what the reader has to catch up with, and signs of life."""
        yield b"retry: 2000\n\n"
        direct = None if self._writer is None else self._pass
        async with aclosing(self._services.feed.follow(reader, HEARTBEAT_SECONDS, direct)) as batches:
            async for batch in batches:
                if not await self._still_admitted():
                    return
                yield b": nothing new\n\n" if batch is None else _rendered(self._app, batch).text
                if await self._request.is_disconnected():
                    return

    def _pass(self, batch: Batch) -> bool:
        """Write a batch to the connection at once, past all layers and without waking this reader's task."""
        writer = self._writer
        if writer is None or not self._is_admitted() or writer.waiting() > UNSENT_BYTES:
            return False
        if chunk := _rendered(self._app, batch).chunk:
            writer.write(chunk)
        return True

    def _admitted(self, caller: Principal) -> None:
        """Note until when the key is known to open the feed."""
        self._generation = self._services.authenticator.generation
        self._expires_at = math.inf if caller.expires_at is None else caller.expires_at
        alone = self._services.database.sole_writer
        self._trusted_until = math.inf if alone else time.monotonic() + _TRUSTED_SECONDS

    def _is_admitted(self) -> bool:
        if self._generation != self._services.authenticator.generation or now_ms() >= self._expires_at:
            return False
        return time.monotonic() < self._trusted_until

    async def _still_admitted(self) -> bool:
        """False once the key was revoked or has expired, or the app is gone."""
        if self._is_admitted():
            return True
        try:
            caller = await _needs(self._request)
            await self._services.database.read(lambda tx: apps.get(tx, caller, self._app.id))
        except Problem:
            return False
        except StorageUnavailable:
            return True  # the reader waits for the database, as the feed does
        self._admitted(caller)
        return True


class _Rendered(NamedTuple):
    """A batch as server-sent events, and the same as a chunk of an HTTP/1.1 answer."""

    text: bytes
    chunk: bytes


def _rendered(app: App, batch: Batch) -> _Rendered:
    """The batch for the wire, made once for all its readers."""
    if batch.rendered is None:
        text = b"".join(_frames(app, batch.events))
        batch.rendered = _Rendered(text, b"%x\r\n%b\r\n" % (len(text), text) if text else b"")
    rendered: _Rendered = batch.rendered
    return rendered


def _frames(app: App, events: Sequence[FeedEvent]) -> Iterator[bytes]:
    """The events of a batch. One that cannot be written is passed over, because a reader that comes back after the
    last event it saw would stop at it every time."""
    for event in events:
        try:
            yield _frame(app, event)
        except Exception:  # noqa: BLE001 - whatever is wrong with one event, the others are not to be lost with it
            _log.exception("feed_event_skipped", seq=event.seq, type=event.type)


def _frame(app: App, event: FeedEvent) -> bytes:
    data = _encoder.encode(event_body(app, event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), data)


def event_body(app: App, event: FeedEvent) -> dict[str, Any]:
    """An event as the feed carries it; `room` is null for one that is about no room."""
    parts = room_names.split(event.livekit_room)
    return {
        "id": event.seq,
        "type": event.type,
        "app": app.slug,
        "room": parts[1] if parts else None,
        "livekitRoom": event.livekit_room,
        "session": event.session_id,
        "at": rfc3339(event.at),
        "origin": event.origin,
        "subject": event.subject,
        "detail": msgspec.Raw(event.detail.encode()),
    }
