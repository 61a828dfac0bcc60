"""Which tests are slow: those that start servers or browsers, which `make check` leaves out."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

_FOLDERS: Final = (
    "deploy",
    "doctor",
    "mediaserver",
    "outputs/webrtc",
    "pages",
    "streams/cluster",
    "streams/media",
    "system/e2e",
    "system/faults",
    "system/kill",
    "system/packaging",
)
_FIRST: Final = ("system", "streams", "sources", "examples", "doctor", "cli", "jobs", "rooms", "api")
"""Folders with the files that take longest: begun first, so that none of them runs alone at the end."""
_FILES: Final = {"test_up.py", "test_encoders.py"}
_SERVERS: Final = re.compile(r"\b(RunningProduct|ExternalLiveKit|PostgresServer|RedisServer|Browser|Nodes|Start)\b")
"""What a fixture that starts one says that it gives."""
_STARTERS: Final = {"running", "running_postgres", "running_redis", "chromium"}
"""What a test that starts one itself imports."""

_running: pytest.Item | None = None


def is_slow(item: pytest.Item) -> bool:
    """Whether the test starts servers or browsers, by its place, its fixtures or what its file imports."""
    folder = _folder(item)
    return (
        f"{folder}/".startswith(tuple(f"{slow}/" for slow in _FOLDERS))
        or item.path.name in _FILES
        or "postgresql" in item.name
        or any(_SERVERS.search(given) for given in _given_by_fixtures(item))
        or not _STARTERS.isdisjoint(vars(getattr(item, "module", None) or object))
    )


def turn(item: pytest.Item) -> int:
    """A test with a lower number is begun earlier."""
    top = _folder(item).partition("/")[0]
    return _FIRST.index(top) if top in _FIRST else len(_FIRST)


def _folder(item: pytest.Item) -> str:
    tests = item.config.rootpath / "tests"
    return item.path.parent.relative_to(tests).as_posix() if item.path.is_relative_to(tests) else ""


def _given_by_fixtures(item: Any) -> list[str]:
    """The declared results of all fixtures that the test asks for, directly or not."""
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return [str(each.func.__annotations__.get("return", "")) for found in definitions for each in found]


def begin(item: pytest.Item) -> None:
    """Remember which test runs."""
    global _running
    _running = item


def require_slow() -> None:
    """See that the test that runs is one of the slow ones, before it starts a server or a browser."""
    if _running is not None and _running.get_closest_marker("slow") is None:
        raise AssertionError(
            f"{_running.nodeid} starts a server or a browser, and `make check` runs it, on machines that have none;"
            " see tests/support/slow.py"
        )
