"""Who sends to a room is decided at Redis, for all nodes in the same way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest
from redis.asyncio import Redis

from stagedoor.streams.cluster.claims import Claims
from stagedoor.streams.cluster.messages import Claim, Names
from tests.support.redis import RedisServer, running_redis

A, B, C = Claim("a", "cam_1", "1"), Claim("b", "cam_2", "2"), Claim("b", "cam_1", "3")


@pytest.fixture(scope="module")
def server() -> Generator[RedisServer]:
    with running_redis() as redis:
        yield redis


@pytest.fixture
async def claims(server: RedisServer) -> AsyncGenerator[Claims]:
    redis = Redis(port=server.port, password="secret")
    await redis.flushall()
    yield Claims(redis, Names(0))
    await redis.aclose()


async def test_who_is_polite_stays_out_where_another_camera_is(claims: Claims) -> None:
    assert await claims.acquire({"x": A, "y": A}, {"x", "y"}) == set()
    assert await claims.acquire({"x": B, "y": B, "z": B}, {"x", "z"}) == {"x"}
    assert await claims.of(["x", "y", "z", "none"]) == {"x": A, "y": B, "z": B}


async def test_the_same_camera_takes_over_however_polite(claims: Claims) -> None:
    await claims.acquire({"x": A}, {"x"})
    assert await claims.acquire({"x": C}, {"x"}) == set()
    assert await claims.renew({"x": A}) == {"x"}
    assert await claims.of(["x"]) == {"x": C}


async def test_what_is_anothers_is_neither_renewed_nor_withdrawn(claims: Claims) -> None:
    await claims.acquire({"x": A}, set())
    await claims.acquire({"x": B}, set())
    assert await claims.renew({"x": A, "lost": A}) == {"x"}
    await claims.release({"x": A, "lost": A})
    assert await claims.of(["x", "lost"]) == {"x": B}


async def test_what_others_wrote_there_is_nobodys(claims: Claims, server: RedisServer) -> None:
    server.asking.set(Names(0).claim("x"), "not ours")
    assert await claims.of(["x"]) == {}
    assert await claims.acquire({"x": A}, {"x"}) == set()
