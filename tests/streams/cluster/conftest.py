"""Two Stagedoors over one PostgreSQL, one LiveKit and one Redis."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.streams.cluster.devices import Made, until
from tests.support.postgres import PostgresServer
from tests.support.product import Api, RunningProduct, running
from tests.support.redis import RedisServer, running_redis

Make = Callable[[], Awaitable[Made]]
_ROOMS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Both of them."""

    a: RunningProduct
    b: RunningProduct
    redis: RedisServer
    key: str


@pytest.fixture(scope="session")
def running_nodes(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Generator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis())
        shared = {"STAGEDOOR_DATABASE_URL": postgres_server.create_database(), "STAGEDOOR_REDIS_URL": redis.url}
        shared |= {"STAGEDOOR_PULL_ALLOWED_NETWORKS": "127.0.0.0/8"}
        a = stack.enter_context(running(folder / "a", "external", **shared))
        assert a.external is not None
        key, secret = a.livekit_keys
        shared |= {"LIVEKIT_API_HOST": a.external.url, "LIVEKIT_API_KEY": key, "LIVEKIT_API_SECRET": secret}
        _share_secrets(a.data_dir, folder / "b" / a.data_dir.name)
        b = stack.enter_context(running(folder / "b", "managed", **shared))
        yield Nodes(a, b, redis, a.api_key)


def _share_secrets(source: Path, target: Path) -> None:
    """As the page about deployment says of several nodes."""
    target.mkdir(parents=True, mode=0o700)
    shutil.copy2(source / "secrets.json", target / "secrets.json")


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    """An HTTP client for streams without end."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), connector=connector) as session:
        yield session


@pytest.fixture
def api(running_nodes: Nodes, http: aiohttp.ClientSession) -> Api:
    """The REST contract of node B."""
    return Api(http, running_nodes.b.url, running_nodes.key)


@pytest.fixture
async def nodes(running_nodes: Nodes, api: Api) -> Nodes:
    """Both of them, in touch; every test begins with the same settings."""
    await settings(api, playbackPolicy="public", cameraConflict="refuse", cameraResume="30s", cameraSlate=False)
    await until(lambda: running_nodes.redis.nodes() == 2, 10)
    return running_nodes


@pytest.fixture
def make(api: Api) -> Make:
    """Makes a camera, with a room of its own."""
    return lambda: camera(api, f"door-{next(_ROOMS)}")


async def camera(api: Api, room: str) -> Made:
    made = (await api("POST", "/apps/live/ws-ingest", {"room": room}, expect=201))["data"]
    return Made(made["id"], made["streamKey"], made["room"])


async def settings(api: Api, **values: object) -> None:
    await api("PATCH", "/apps/live", {"settings": values})


async def is_live(api: Api, camera: Made) -> bool:
    return bool((await api("GET", camera.path))["data"]["live"])
