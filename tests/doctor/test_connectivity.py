"""The ICE check proves something: only the agent that was meant answers, and only a right check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagedoor.doctor import connectivity
from stagedoor.doctor.signalling import IceOffer, ice_offer
from stagedoor.mediaserver.endpoint import Endpoint
from tests.support.product import KEY, SECRET, RunningProduct


async def _tried(product: RunningProduct, change: dict[str, str]) -> dict[str, bool]:
    assert product.external is not None
    endpoint = Endpoint(product.external.url, "", KEY, SECRET)
    async with ice_offer(endpoint, "stagedoor.probe.test") as offer:
        asked: IceOffer = replace(offer, **change)
        return {place.protocol: await connectivity.answers(place, asked) for place in offer.candidates}


async def test_a_right_check_is_answered(external_product: RunningProduct) -> None:
    assert await _tried(external_product, {}) == {"udp": True, "tcp": True}


async def test_a_wrong_password_is_not(external_product: RunningProduct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "_TIMEOUT_SECONDS", 0.6)
    assert await _tried(external_product, {"password": "not-the-password-of-the-agent"}) == {"udp": False, "tcp": False}
