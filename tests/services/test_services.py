"""The services of the product: each can be made with nothing running, and what is closed is closed after its users."""

from __future__ import annotations

from pathlib import Path

from stagedoor.services.part import parts_of
from stagedoor.services.services import Services
from tests.support.api_routes import application


async def test_all_are_made_before_anything_is_served(tmp_path: Path) -> None:
    async with application(tmp_path) as (_, services):
        made = {found.name for found in parts_of(Services)}
        assert made <= set(vars(services))


def test_usage_is_written_when_no_camera_sends_any_more_and_livekit_goes_last() -> None:
    order = [found.name for found in reversed(list(parts_of(Services))) if found.close is not None]
    assert order.index("http_ingest") < order.index("presence_events") < order.index("media_usage")
    assert order[-1] == "gateway"
