"""A collector, this process traced into it, and both engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from stagedoor.kernel import tracing
from tests.support.collector import Collector, collecting


@pytest.fixture
def collector() -> Generator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def traced(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Generator[Collector]:
    """This process sends its spans to the collector."""
    for name, value in collector.environment.items():
        monkeypatch.setenv(name, value)
    tracing.start(os.environ)
    assert tracing.enabled()
    yield collector
    tracing.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    create: Callable[[], str] = request.getfixturevalue("postgres_server").create_database
    return create()
