"""Apps whose cameras anybody may look at."""

from __future__ import annotations

import pytest

from tests.support.api_tenant import new_app
from tests.support.cameras import Device, new_device
from tests.support.product import Api


@pytest.fixture
async def app(managed_api: Api) -> str:
    """A new app with public playback."""
    return await new_app(managed_api, playbackPolicy="public")


@pytest.fixture
async def door(managed_api: Api, app: str) -> Device:
    """A camera of it."""
    return await new_device(managed_api, app)
