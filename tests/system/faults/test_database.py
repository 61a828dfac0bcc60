"""The database of a running product goes away and comes back: LiveKit gets 503 and retries; nothing is restarted."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import asyncpg
import pytest

from tests.support.api_tenant import fresh
from tests.support.api_webhook import Sender, room_event
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.product import Api, RunningProduct, eventually, running

pytestmark = pytest.mark.slow


class Trouble:
    """A product whose database is in trouble, and what was sent to it meanwhile."""

    def __init__(self, http: aiohttp.ClientSession, product: RunningProduct) -> None:
        self._http = http
        self._product = product
        self.send = Sender(http, product)
        self.api = Api(http, product.url, product.api_key)
        self.room = fresh("room")
        self.sent: list[dict[str, Any]] = []

    async def hook(self) -> int:
        """The status of the answer to an event that was not sent before."""
        event = room_event("room_started", f"live-{fresh('room')}")
        status = await self.send(event)
        if status != 503:
            assert status == 200
            self.sent.append(event)
        return status

    async def ready(self) -> int:
        async with self._http.get(f"{self._product.url}/ready") as answer:
            return answer.status

    async def refused(self) -> None:
        """Return when an event is answered with 503, and `/ready` is as well."""

        async def both() -> bool:
            return await self.hook() == 503 and await self.ready() == 503

        await eventually(both, 30)

    async def recovered(self) -> None:
        """Return when events are taken again; every one that was acknowledged is applied."""

        async def taken() -> bool:
            return await self.hook() == 200 and await self.ready() == 200

        await eventually(taken, 30)

        async def applied() -> bool:
            states = [(await self.api("GET", f"/inbox/{event['id']}"))["data"]["state"] for event in self.sent]
            return set(states) == {"applied"}

        await eventually(applied, 30)


@asynccontextmanager
async def troubled(http: aiohttp.ClientSession, folder: Path, **environment: str) -> AsyncGenerator[Trouble]:
    with running(folder, "managed", **environment) as product:
        pid = product.pid
        trouble = Trouble(http, product)
        assert await trouble.hook() == 200
        yield trouble
        await trouble.recovered()
        assert product.pid == pid
        assert product.stop() == 0


async def test_a_locked_database(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with troubled(http, tmp_path) as trouble:
        other = sqlite3.connect(tmp_path / "data" / "stagedoor.db", isolation_level=None, check_same_thread=False)
        try:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            await trouble.refused()
            other.execute("ROLLBACK")
        finally:
            other.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 64 MiB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system may be mounted here; a file that cannot grow is tried either way")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_disk(small_disk: Path, http: aiohttp.ClientSession) -> None:
    async with troubled(http, small_disk) as trouble:
        filling = small_disk / "filling"
        # Without a buffer, whose rest would be written when the file is closed.
        with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65_536))
        try:
            await trouble.refused()
        finally:
            filling.unlink()


async def test_files_that_cannot_grow(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with troubled(http, tmp_path) as trouble:
        pid = trouble._product.pid  # pyright: ignore[reportPrivateUsage]
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # No file of the process may grow: the error that it gets then (EFBIG) SQLite takes for a full disk.
        wal = tmp_path / "data" / "stagedoor.db-wal"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, before[1]))
        try:
            await trouble.refused()
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def test_a_read_only_database(
    tmp_path: Path, http: aiohttp.ClientSession, postgres_server: PostgresServer
) -> None:
    """An administrator's switch, or a server that was demoted to a standby."""
    url = postgres_server.create_database()
    async with troubled(http, tmp_path, STAGEDOOR_DATABASE_URL=url) as trouble:
        await read_only(url, "on")
        await trouble.refused()
        await read_only(url, "off")


async def read_only(url: str, switch: str) -> None:
    """Turn it, and end the connections that were made before."""
    connection = cast("Any", await asyncpg.connect(url))  # pyright: ignore[reportUnknownMemberType]
    name = url.rpartition("/")[2]
    try:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {switch}")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
            name,
        )
    finally:
        await connection.close()


async def test_postgresql_restarted(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with running_postgres() as server:
        async with troubled(http, tmp_path, STAGEDOOR_DATABASE_URL=server.create_database()) as trouble:
            await asyncio.to_thread(server.stop)
            try:
                await trouble.refused()
            finally:
                await asyncio.to_thread(server.start)
