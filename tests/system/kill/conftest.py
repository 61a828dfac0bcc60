"""Products that a test may kill."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.product import Api, Mode, RunningProduct, running

Start = Callable[..., RunningProduct]
Rest = Callable[[RunningProduct], Api]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Starts products with folders of their own, in which a comparison comes every two seconds."""
    with ExitStack() as stack:
        started: list[RunningProduct] = []

        def make(mode: Mode = "managed", **environment: str) -> RunningProduct:
            folder = tmp_path / str(len(started))
            settings = {"STAGEDOOR_RECONCILE_INTERVAL": "2"} | environment
            product = stack.enter_context(running(folder, mode, **settings))
            started.append(product)
            return product

        yield make


@pytest.fixture
def rest(http: aiohttp.ClientSession) -> Rest:
    """The REST contract of one of them."""
    return lambda product: Api(http, product.url, product.api_key)
