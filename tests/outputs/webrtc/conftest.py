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


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Not uvloop: it runs Python in the child that it forks, which CPython 3.11 cannot do while a native thread enters
    the interpreter (`PyOS_AfterFork_Child` waits for a lock that the thread held), and LiveKit's client, with which
    these tests watch, enters it all the time. A run hung for ever."""
    return "asyncio", {"use_uvloop": False}
