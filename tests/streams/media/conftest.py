"""A LiveKit of their own for these tests, and a loop that does not fork Python."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.product import ExternalLiveKit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """LiveKit's SDK drops a handle of a frame twice when its queue overflows, as it does on a busy machine."""
    twice = pytest.mark.filterwarnings("ignore:Exception ignored in. <function FfiHandle")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(twice)


@pytest.fixture(scope="session")
def bare_livekit(tmp_path_factory: pytest.TempPathFactory) -> Generator[ExternalLiveKit]:
    """A LiveKit without Stagedoor."""
    server = ExternalLiveKit(tmp_path_factory.mktemp("livekit"), "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Not uvloop, for the reason in `tests/outputs/webrtc/conftest.py`."""
    return "asyncio", {"use_uvloop": False}
