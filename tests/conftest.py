"""Fixtures that every folder of tests may take."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import aiohttp
import pytest
from tests.support.product import Api, Mode, RunningProduct, running


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


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
