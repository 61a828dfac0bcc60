"""A LiveKit of its own for these tests, which nobody else talks to."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.product import ExternalLiveKit


@pytest.fixture(scope="session")
def bare_livekit(tmp_path_factory: pytest.TempPathFactory) -> Generator[ExternalLiveKit]:
    """A LiveKit without Stagedoor."""
    server = ExternalLiveKit(tmp_path_factory.mktemp("livekit"), "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    yield server
    server.kill()
