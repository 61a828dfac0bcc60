"""The product with RTMP."""

from __future__ import annotations

from collections.abc import Generator

import aiohttp
import pytest

from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, running


@pytest.fixture(scope="module")
def hls_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    settings = {"STAGEDOOR_RTMP_LISTEN": f"127.0.0.1:{port}", "STAGEDOOR_PULL_ALLOWED_NETWORKS": "127.0.0.0/8"}
    with running(tmp_path_factory.mktemp("hls"), "managed", **settings) as product:
        yield product


@pytest.fixture
def hls_api(hls_product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, hls_product.url, hls_product.api_key)
