"""A silent feed says every so often that it is there, so that proxies keep it and a dead reader is noticed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from stagedoor.api.routes import events
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import AppSettings
from tests.support.api_routes import application


async def test_silence_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert events.HEARTBEAT_SECONDS <= 30
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.02)
    async with application(tmp_path) as (app, parts):
        monkeypatch.setattr(parts.feed, "_poll_seconds", 0.01)
        await parts.database.write(
            lambda tx: apps.create(tx, organisations.create(tx, "One", "one"), "live", None, AppSettings())
        )
        sent: asyncio.Queue[Message] = asyncio.Queue()
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/api/v1/apps/live/events",
            "raw_path": b"/api/v1/apps/live/events",
            "query_string": b"",
            "scheme": "http",
            "headers": [(b"authorization", b"Bearer operator-secret")],
            "client": None,
            "server": None,
        }
        gone = asyncio.Event()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.put_nowait(message)

        answering = asyncio.create_task(app(scope, receive, send))
        heads = [await asyncio.wait_for(sent.get(), 10) for _ in range(4)]
        assert heads[0]["status"] == 200
        assert [head["body"] for head in heads[1:]] == [b"retry: 2000\n\n", b": nothing new\n\n", b": nothing new\n\n"]
        assert parts.feed.clients == 1
        gone.set()
        await asyncio.wait_for(answering, 10)
        assert parts.feed.clients == 0
