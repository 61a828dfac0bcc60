"""Fixtures of the REST contract's tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.api_tenant import Tenant, new_app, new_tenant
from tests.support.product import Api, RunningProduct, running


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
