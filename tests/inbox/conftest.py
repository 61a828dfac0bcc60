"""Products that take webhooks in."""

from __future__ import annotations

from collections.abc import Generator

import aiohttp
import pytest

from tests.support.api_webhook import Sender
from tests.support.product import Api, RunningProduct, running

SECOND_KEY = ("APIsecond", "the-secret-of-a-key-that-is-on-its-way-in")
THIRD_KEY = ("APIthird", "the-secret-of-a-key-that-is-on-its-way-out")


@pytest.fixture(scope="session")
def tuned_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """A product with the plain HMAC scheme, further keys, a path of its own and a low limit."""
    settings = {
        "STAGEDOOR_WEBHOOK_HMAC_ENABLED": "true",
        "STAGEDOOR_WEBHOOK_EXTRA_KEYS": ",".join(":".join(pair) for pair in (SECOND_KEY, THIRD_KEY)),
        "STAGEDOOR_WEBHOOK_PATH": "/hooks/mine",
        "STAGEDOOR_WEBHOOK_MAX_BYTES": "4096",
    }
    with running(tmp_path_factory.mktemp("tuned"), "managed", **settings) as product:
        yield product


@pytest.fixture
def send(http: aiohttp.ClientSession, managed_product: RunningProduct) -> Sender:
    """Webhooks to the product with its defaults."""
    return Sender(http, managed_product)


@pytest.fixture
def send_tuned(http: aiohttp.ClientSession, tuned_product: RunningProduct) -> Sender:
    """Webhooks to the tuned product."""
    return Sender(http, tuned_product)


@pytest.fixture
def tuned_api(http: aiohttp.ClientSession, tuned_product: RunningProduct) -> Api:
    return Api(http, tuned_product.url, tuned_product.api_key)
