"""The list of services: each comes after what it needs, starts in order and stops in reverse."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagedoor.app import early_startup, startup
from stagedoor.app.product import Product
from stagedoor.app.runtime import Runtime, Service
from stagedoor.settings.resolve import resolve

ALL = (*early_startup.SERVICES, *startup.SERVICES)


def test_each_comes_after_what_it_needs() -> None:
    started: set[str] = set()
    for service in ALL:
        assert set(service.needs) <= started, service.name
        assert service.name not in started, "a name is one service's"
        started.add(service.name)


async def test_they_stop_in_reverse_from_the_one_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def recording(name: str, *, fails: bool = False) -> Service:
        async def start(_: Runtime) -> None:
            if fails:
                raise ConnectionError(name)
            done.append(f"start {name}")

        async def stop(_: Runtime) -> None:
            done.append(f"stop {name}")

        return Service(name, start, stop)

    monkeypatch.setattr(early_startup, "SERVICES", (recording("a"), recording("b")))
    monkeypatch.setattr(startup, "SERVICES", (recording("c"), recording("d", fails=True), recording("e")))
    product = Product(resolve({"data_dir": tmp_path}, {}).settings, lambda _: None)
    with pytest.raises(ConnectionError):
        await product.start()
    assert done == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
