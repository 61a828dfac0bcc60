"""A product beside a LiveKit whose webhooks go through the faulty proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.support.product import Api, ExternalLiveKit, RunningProduct
from tests.system.faults.chronicle import Chronicle
from tests.system.faults.proxy import FaultyProxy, faulty_proxy
from tests.system.faults.scenario import Scenario

_ROOM = {"room": {"departure_timeout": 1}}
"""Seconds that LiveKit keeps a room after the last one left, so that rooms end while the test looks."""


@dataclass
class Stage:
    """All that plays a part."""

    product: RunningProduct
    livekit: ExternalLiveKit
    proxy: FaultyProxy
    chronicle: Chronicle
    scenario: Scenario
    api: Api


@pytest.fixture
async def stage(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Stage]:
    """One whose comparisons come every second."""
    async with faulty_proxy() as proxy:
        product = RunningProduct(tmp_path, "external", STAGEDOOR_RECONCILE_INTERVAL="1")
        product.external = livekit = ExternalLiveKit(tmp_path, proxy.url, _ROOM)
        proxy.target = product.webhook_url
        try:
            await asyncio.to_thread(product.start)
            async with Chronicle(product, http) as chronicle:
                scenario = Scenario(livekit.url, chronicle)
                try:
                    yield Stage(product, livekit, proxy, chronicle, scenario, Api(http, product.url, product.api_key))
                finally:
                    await scenario.forsake()  # clients that are left connected take ports of the next LiveKit
        finally:
            await asyncio.to_thread(product.close)
