"""Apps with public playback, in a running product or in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stagedoor.app.firstrun import make_first, make_first_key
from stagedoor.app.http import HttpServer
from stagedoor.services.services import Services
from tests.support.api_routes import application
from tests.support.api_tenant import fresh, new_app
from tests.support.cameras import Device, new_device
from tests.support.ports import free_ports
from tests.support.product import Api


@pytest.fixture
async def app(managed_api: Api) -> str:
    """A new app with public playback."""
    return await new_app(managed_api, playbackPolicy="public")


@pytest.fixture
async def door(managed_api: Api, app: str) -> Device:
    """A camera of it."""
    return await new_device(managed_api, app)


@dataclass(frozen=True)
class Here:
    """The application in this process, with its parts to look at."""

    url: str
    parts: Services
    server: HttpServer
    api: Api

    async def door(self, room: str = "door", **settings: Any) -> Device:
        """A camera of a new app with public playback."""
        app = fresh("app")
        body = {"slug": app, "organisation": "default", "settings": {"playbackPolicy": "public", **settings}}
        await self.api("POST", "/apps", body, expect=201)
        return await new_device(self.api, app, room)


@pytest.fixture
async def here(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Here]:
    """A server without LiveKit, which takes a tenth of a second to start."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with application(tmp_path, http=address) as (app, parts):
        await parts.database.write(make_first)
        key = await parts.database.write(make_first_key)
        server = HttpServer(parts.settings)
        await server.start(app)
        keeping = asyncio.create_task(parts.key_revocation.run())
        url = f"http://{address}"
        yield Here(url, parts, server, Api(http, url, key))
        keeping.cancel()
        parts.frame_viewers.close()
        await parts.senders.close()
        await server.stop()
        await parts.http_ingest.close()
        await parts.presence_events.close()
