"""Both engines, and the event loop of tests that watch."""

import pytest

from tests.support.engines import database, database_url

__all__ = ["anyio_backend", "database", "database_url"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Not uvloop, for the reason in `tests/outputs/webrtc/conftest.py`."""
    return "asyncio", {"use_uvloop": False}
