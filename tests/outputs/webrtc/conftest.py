"""The event loop of these tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Not uvloop: it runs Python in the child that it forks, which CPython 3.11 cannot do while a native thread enters
    the interpreter (`PyOS_AfterFork_Child` waits for a lock that the thread held), and LiveKit's client, with which
    these tests watch, enters it all the time. A run hung indefinitely."""
    return "asyncio", {"use_uvloop": False}
