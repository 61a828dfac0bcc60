"""Fixtures of the REST contract's tests."""

from __future__ import annotations

import pytest
from tests.support.api_tenant import Tenant, new_app, new_tenant
from tests.support.product import Api


@pytest.fixture
async def app(api: Api) -> str:
    """A new app in the first organisation, in both modes."""
    return await new_app(api)


@pytest.fixture
async def tenant(managed_api: Api) -> Tenant:
    """A new organisation with two apps, in managed mode."""
    return await new_tenant(managed_api)
