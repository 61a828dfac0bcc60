"""Fixtures of the REST contract's tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from stagedoor.app.firstrun import make_first, make_first_key
from stagedoor.app.http import HttpServer
from stagedoor.services.services import Services
from tests.support.api_routes import application
from tests.support.api_tenant import Tenant, new_app, new_tenant
from tests.support.product import Api, RunningProduct, free_ports, running


@pytest.fixture
async def app(api: Api) -> str:
    """A new app in the first organisation, in both modes."""
    return await new_app(api)


@pytest.fixture
async def tenant(managed_api: Api) -> Tenant:
    """A new organisation with two apps, in managed mode."""
    return await new_tenant(managed_api)


@pytest.fixture
async def managed_app(managed_api: Api) -> str:
    """A new app in the first organisation, in managed mode."""
    return await new_app(managed_api)


@pytest.fixture(scope="session")
def limited_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """A product whose limits are low enough to be met."""
    limits = {
        "STAGEDOOR_FEED_MAX_CLIENTS": "2",
        "STAGEDOOR_METRICS_TOKEN": "let-me-count",
        "STAGEDOOR_API_MAX_BODY_BYTES": "2048",
    }
    with running(tmp_path_factory.mktemp("limited"), "managed", **limits) as product:
        yield product


@dataclass(frozen=True)
class Here:
    """The application in this process, without LiveKit."""

    url: str
    services: Services
    api: Api
    key: str


@pytest.fixture
async def here(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Here]:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with application(tmp_path, http=address, idempotency_max_bytes=1_048_576) as (app, services):
        await services.database.write(make_first)
        key = await services.database.write(make_first_key)
        assert key is not None
        server = HttpServer(services.settings)
        await server.start(app)
        yield Here(f"http://{address}", services, Api(http, f"http://{address}", key), key)
        await server.stop()
