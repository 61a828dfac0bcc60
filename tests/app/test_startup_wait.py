"""A start waits for what does not answer yet, and says so; it does not wait for what an operator has to fix."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.support.postgres import PostgresServer, running_postgres
from tests.support.product import START_SECONDS, RunningProduct, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres_server() -> Generator[PostgresServer]:
    with running_postgres() as server:
        yield server


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncGenerator[None]:
    """What the backend of a killed Stagedoor holds until the server notices."""
    untyped: Any = asyncpg
    connection = await untyped.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def says(product: RunningProduct, text: str) -> None:
    """Return once the product has logged it."""
    deadline = time.monotonic() + START_SECONDS
    while text not in product.log:
        assert time.monotonic() < deadline, product.log
        await asyncio.sleep(0.05)


async def test_a_busy_database_is_waited_for(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    with running(tmp_path, STAGEDOOR_DATABASE_URL=url) as product:
        assert product.stop() == 0
        async with locked(url, "sessions"):
            starting = asyncio.create_task(asyncio.to_thread(product.start))
            await says(product, "Waiting for the database: The database was busy")
        await starting
        assert product.stop() == 0


async def test_a_livekit_that_starts_later_is_waited_for(tmp_path: Path) -> None:
    product = RunningProduct(tmp_path, "external")
    livekit = product.external
    assert livekit is not None
    product.external = _Later(livekit)  # pyright: ignore[reportAttributeAccessIssue]
    (tmp_path / "stagedoor.log").touch()
    try:
        starting = asyncio.create_task(asyncio.to_thread(product.start))
        await says(product, "Waiting for LiveKit: ")
        await asyncio.to_thread(livekit.start)
        ready = await starting
        assert ready["livekit"]["version"] == "1.13.5"
    finally:
        product.external = livekit
        product.close()


class _Later:
    """An external LiveKit that is configured and not started yet."""

    def __init__(self, livekit: Any) -> None:
        self.url = livekit.url
        self._process = object()


async def test_a_wrong_password_ends_the_start(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database().replace("secret", "wrong")
    product = RunningProduct(tmp_path, STAGEDOOR_DATABASE_URL=url)
    done = await asyncio.to_thread(
        subprocess.run, product.command("up"), capture_output=True, text=True, env=product.environment(), check=False
    )
    assert done.returncode == 1
    assert "does not accept the user, the password" in done.stderr
    assert "Waiting" not in done.stderr


async def test_the_wait_ends_at_the_timeout(tmp_path: Path) -> None:
    product = RunningProduct(
        tmp_path, STAGEDOOR_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none", STAGEDOOR_START_TIMEOUT="1"
    )
    done = await asyncio.to_thread(
        subprocess.run, product.command("up"), capture_output=True, text=True, env=product.environment(), check=False
    )
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
