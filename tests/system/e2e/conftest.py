"""A browser for all tests of the folder, and products that learn only from LiveKit's webhooks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.product import RunningProduct, running

RECONCILE_INTERVAL = "3600"
"""A comparison with LiveKit's lists during a test would repair what a lost webhook left undone, and so hide it."""


@pytest.fixture(scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """One Chromium; every visitor has a window and a profile of their own in it."""
    async with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def managed_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """A product with a managed LiveKit, and no comparison but the one at its start."""
    with running(tmp_path_factory.mktemp("managed"), STAGEDOOR_RECONCILE_INTERVAL=RECONCILE_INTERVAL) as product:
        yield product


@pytest.fixture(scope="session")
def external_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """The same with an external LiveKit."""
    with running(
        tmp_path_factory.mktemp("external"), "external", STAGEDOOR_RECONCILE_INTERVAL=RECONCILE_INTERVAL
    ) as product:
        yield product
