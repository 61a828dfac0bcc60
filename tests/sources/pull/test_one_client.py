"""A server that takes one client at a time is pulled: what is at its URL is looked at once."""

from __future__ import annotations

import asyncio

import pytest

from stagedoor.sources.pull import runner
from stagedoor.storage import Database
from stagedoor.streams.media.protocol import Ended
from tests.sources.ingress.nodes import node
from tests.sources.pull.test_claims import create, pulling
from tests.support.engines import database, database_url
from tests.support.http_camera import Request, answer, http_camera
from tests.support.product import eventually

__all__ = ["database", "database_url"]


async def test_after_the_look_the_server_is_given_time_and_is_not_looked_at_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOOKED_SECONDS", 0.1)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"G" + bytes(187), "video/mp2t"))

    async with http_camera(script) as server, node(database) as one, pulling(one) as workers:
        ingress, _ = await create(one, url=server.url)
        one.sessions.forget()
        (first,) = await eventually(lambda: asyncio.sleep(0, workers.opened))
        await eventually(lambda: asyncio.sleep(0, server.open == 0))
        first.ended.set_result(Ended("source_failed", "It answers with status 503.", retry=True))
        await eventually(lambda: asyncio.sleep(0, len(workers.opened) == 2))
        assert len(server.requests) == 1
        assert (await one.state(ingress)).status == "connecting"
