"""The feed's answer without a network: what is sent when, and for whom it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from stagedoor.api.live.raw_writer import PIPE, RawWriter
from stagedoor.api.routes import events
from stagedoor.events.nouns import FeedEvent, NewEvent
from stagedoor.services.services import Services
from stagedoor.tenancy import apps, keys, organisations
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.principals import OPERATOR
from tests.support.api_routes import application
from tests.support.product import eventually


class Connection:
    """A connection that keeps what is written to it, and takes nothing more while it is full."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unsent = 0

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent


@pytest.fixture
async def made(tmp_path: Path) -> AsyncGenerator[tuple[Any, Services, App]]:
    async with application(tmp_path) as (app, services):
        live = await services.database.write(
            lambda tx: apps.create(tx, organisations.create(tx, "One", "one"), "live", None, AppSettings())
        )
        yield app, services, live


async def append(services: Services, app: App, *subjects: str) -> None:
    for subject in subjects:
        event = NewEvent(app.id, "data.sent", "api", 1_760_000_000_000, "live-demo", subject, detail={"a": [1]})
        await services.database.write(lambda tx, event=event: services.feed.append(tx, event))


@asynccontextmanager
async def following(
    app: Any, query: bytes = b"", key: str = "operator-secret", connection: Connection | None = None
) -> AsyncGenerator[Callable[[int], Any]]:
    """A feed in the background; gives a function that returns the next bodies."""
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()
    first = True

    async def receive() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.put_nowait(message)

    extensions = {}
    if connection is not None:

        async def writable() -> None: ...

        transport: Any = connection
        extensions = {PIPE: {"pipe": RawWriter(transport, writable)}}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/v1/apps/live/events",
        "raw_path": b"/api/v1/apps/live/events",
        "query_string": query,
        "scheme": "http",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
        "client": None,
        "server": None,
        "extensions": extensions,
    }
    answering = asyncio.create_task(app(scope, receive, send))
    assert (await asyncio.wait_for(sent.get(), 10))["status"] == 200
    assert (await asyncio.wait_for(sent.get(), 10))["body"] == b"retry: 2000\n\n"

    async def bodies(count: int) -> bytes:
        return b"".join([(await asyncio.wait_for(sent.get(), 10))["body"] for _ in range(count)])

    try:
        yield bodies
    finally:
        gone.set()
        await asyncio.wait_for(answering, 10)


def subjects_in(text: bytes) -> list[str]:
    return [part.split(b'"')[0].decode() for part in text.split(b'"subject":"')[1:]]


async def live(services: Services, app: App) -> None:
    async def there() -> bool:
        return services.feed.live(app.id) == 1

    await eventually(there)


async def test_an_event_that_cannot_be_written_is_passed_over(
    made: tuple[Any, Services, App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, services, live_app = made
    real = events.event_body

    def failing(app: App, event: FeedEvent) -> dict[str, Any]:
        if event.subject == "broken":
            raise ValueError("this event has something that nobody foresaw")
        return real(app, event)

    monkeypatch.setattr(events, "event_body", failing)
    await append(services, live_app, "one", "broken", "two")
    async with following(app, b"after=0") as bodies:
        assert subjects_in(await bodies(1)) == ["one", "two"]
        await live(services, live_app)
        await append(services, live_app, "broken")
        await append(services, live_app, "three")
        while not (found := subjects_in(await bodies(1))):
            pass
        assert found == ["three"]


async def test_detail_is_passed_on_as_it_is_stored(made: tuple[Any, Services, App]) -> None:
    app, services, live_app = made
    await append(services, live_app, "one")
    async with following(app, b"after=0") as bodies:
        assert b'"detail":{"a":[1]}}\n\n' in await bodies(1)


async def test_what_is_new_goes_straight_to_the_connection_in_chunks(made: tuple[Any, Services, App]) -> None:
    app, services, live_app = made
    connection = Connection()
    async with following(app, connection=connection):
        await live(services, live_app)
        await append(services, live_app, "one", "two")

        async def written() -> bool:
            return len(subjects_in(b"".join(connection.written))) == 2

        await eventually(written)
    for chunk in connection.written:
        size, _, rest = chunk.partition(b"\r\n")
        assert rest[int(size, 16) :] == b"\r\n"


async def test_a_connection_that_takes_nothing_is_given_no_more(made: tuple[Any, Services, App]) -> None:
    app, services, live_app = made
    connection = Connection()
    async with following(app, connection=connection) as bodies:
        await live(services, live_app)
        connection.unsent = events.UNSENT_BYTES + 1
        await append(services, live_app, "one")
        assert subjects_in(await bodies(1)) == ["one"], "by the way that waits until there is room"
        assert connection.written == []


async def test_a_key_that_expires_ends_the_feed(
    made: tuple[Any, Services, App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, services, live_app = made
    connection = Connection()
    now = int(time.time() * 1000)
    _, secret = await services.database.write(
        lambda tx: keys.create(
            tx, OPERATOR, name="k", scopes=["events:read"], organisation_id=None, app_id=None, expires_at=now + 600_000
        )
    )
    async with following(app, key=secret, connection=connection) as bodies:
        await live(services, live_app)
        await append(services, live_app, "one")

        async def written() -> bool:
            return subjects_in(b"".join(connection.written)) == ["one"]

        await eventually(written)
        for module in ("stagedoor.api.routes.events", "stagedoor.tenancy.authentication"):
            monkeypatch.setattr(f"{module}.now_ms", lambda: now + 600_001)
        await append(services, live_app, "two")
        assert await bodies(1) == b"", "the end of the answer"
    assert subjects_in(b"".join(connection.written)) == ["one"]
