"""Fixtures that every folder of tests may take."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import HealthCheck, settings

from stagedoor.storage import upgrade
from tests.support import slow
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.product import Api, ExternalLiveKit, Mode, RunningProduct, running

# A deadline for an example is a measurement, and fails on a busy machine: the first example may import a library.
settings.register_profile("stagedoor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stagedoor")

_LOG_CHARACTERS = 8_000


gc.disable()  # until all tests are collected, which takes 12 s of CPU time with it and 7 without


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the garbage collector off what lives as long as the process, as the product does."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if slow.is_slow(item):
            item.add_marker(pytest.mark.slow)
    items.sort(key=slow.turn)


def pytest_runtest_setup(item: pytest.Item) -> None:
    slow.begin(item)


def pytest_xdist_auto_num_workers() -> int:
    """How many files are tested at a time: one more than there are cores, because half of the time a test waits."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the products that a test used have logged at last, when it failed: they are processes of their own."""
    report = yield
    if report.failed:
        given: dict[str, Any] = getattr(item, "funcargs", {})
        for name, product in given.items():
            if isinstance(product, RunningProduct) and product.has_log:
                report.sections.append((f"log of {name}", product.log[-_LOG_CHARACTERS:]))
                report.sections.append((f"log of the LiveKit of {name}", product.livekit_log[-_LOG_CHARACTERS:]))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """A test may print what is no text, such as half of a surrogate pair; a report that holds it cannot be sent."""
    return _sendable((yield))


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(name): _sendable(inner) for name, inner in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_sendable(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, tuple):
        return tuple(_sendable(inner) for inner in cast("tuple[Any, ...]", value))
    return value


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def bare_livekit(tmp_path_factory: pytest.TempPathFactory) -> Generator[ExternalLiveKit]:
    """A LiveKit without Stagedoor."""
    server = ExternalLiveKit(tmp_path_factory.mktemp("livekit"), "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[PostgresServer]:
    """A real PostgreSQL that is thrown away afterwards."""
    with running_postgres() as server:
        yield server


def _migrate(url: str) -> None:
    with ThreadPoolExecutor(1) as pool:  # a test that asks for it may have its loop run here
        pool.submit(upgrade, url).result()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table, to copy: a migration takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "test.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """The name of a database with every table, to copy."""
    url = postgres_server.create_database()
    _migrate(url)
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def managed_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """One running product with a managed LiveKit, for tests that leave it as they found it."""
    with running(tmp_path_factory.mktemp("managed")) as product:
        yield product


@pytest.fixture(scope="session")
def external_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """The same with an external LiveKit."""
    with running(tmp_path_factory.mktemp("external"), "external") as product:
        yield product


@pytest.fixture(scope="session")
def postgresql_product(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Generator[RunningProduct]:
    """The same with a managed LiveKit and PostgreSQL."""
    url = postgres_server.create_database()
    with running(tmp_path_factory.mktemp("postgresql"), STAGEDOOR_DATABASE_URL=url) as product:
        yield product


@pytest.fixture(params=["managed", "external", "postgresql"])
def every_product(request: pytest.FixtureRequest) -> RunningProduct:
    """Every shape of the product: for the few tests that go through all of it."""
    found: RunningProduct = request.getfixturevalue(f"{request.param}_product")
    return found


@pytest.fixture(params=["managed", "external"])
def product(request: pytest.FixtureRequest) -> RunningProduct:
    """Both modes, one after the other: a test that takes this one says that they behave the same."""
    mode: Mode = request.param
    found: RunningProduct = request.getfixturevalue(f"{mode}_product")
    return found


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    """The REST contract with the first admin key, in both modes."""
    return Api(http, product.url, product.api_key)


@pytest.fixture
def managed_api(managed_product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    """The REST contract with the first admin key, in managed mode."""
    return Api(http, managed_product.url, managed_product.api_key)
