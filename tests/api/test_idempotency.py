"""`Idempotency-Key`: a POST that is sent again gets the first answer again and does nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from tests.api.conftest import Here
from tests.support.api_tenant import Tenant, fresh, new_key, problem
from tests.support.product import Api, RunningProduct


async def again(api: Api, path: str, body: Any, key: str) -> tuple[int, Any, bool]:
    status, answer, headers = await api.raw("POST", path, body, **{"Idempotency-Key": key})
    return status, answer, headers.get("idempotency-replayed") == "true"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/keys", {"name": "x", "scopes": ["apps:read"]}),
        ("/apps", {"slug": "?"}),
        ("/organisations", {"name": "?"}),
        ("/apps/live/tokens", {"room": "demo"}),
        ("/apps/live/rooms", {"name": "?"}),
    ],
)
async def test_the_same_request_gets_the_same_answer(managed_api: Api, path: str, body: dict[str, Any]) -> None:
    body = {name: fresh("idem") if value == "?" else value for name, value in body.items()}
    key = fresh("order-")
    status, first, replayed = await again(managed_api, path, body, key)
    assert (status, replayed) == (201, False)
    for _ in range(3):
        assert await again(managed_api, path, body, key) == (201, first, True)


async def test_a_key_is_made_once_and_its_secret_is_the_same(tenant: Tenant, managed_product: RunningProduct) -> None:
    name = fresh("once")
    body = {"name": name, "scopes": ["apps:read"]}
    _, first, _ = await again(tenant.api, "/keys", body, name)
    _, second, _ = await again(tenant.api, "/keys", body, name)
    assert first["data"]["key"] == second["data"]["key"]
    listed = (await tenant.api("GET", "/keys"))["data"]
    assert [key["name"] for key in listed].count(name) == 1
    database = sqlite3.connect(f"file:{managed_product.data_dir / 'stagedoor.db'}?mode=ro", uri=True)
    bodies = [row[0] for row in database.execute("SELECT sealed_body FROM idempotency_answers")]
    database.close()
    assert bodies
    assert not any(sealed and first["data"]["key"].encode() in sealed for sealed in bodies)


async def test_a_key_that_was_used_for_something_else_is_refused(managed_api: Api) -> None:
    key = fresh("order-")
    assert (await again(managed_api, "/apps/live/tokens", {"room": "one"}, key))[0] == 201
    reused = (422, "idempotency_key_reused")
    for path, body in (
        ("/apps/live/tokens", {"room": "two"}),
        ("/apps/live/tokens?x=1", {"room": "one"}),
        ("/organisations", {"name": "one"}),
    ):
        assert await problem(managed_api, "POST", path, body, **{"Idempotency-Key": key}) == reused


async def test_anothers_key_is_another_key(managed_api: Api) -> None:
    other = managed_api.as_key(await new_key(managed_api, "tokens:write"))
    key = fresh("order-")
    _, first, _ = await again(managed_api, "/apps/live/tokens", {"room": "demo"}, key)
    status, second, replayed = await again(other, "/apps/live/tokens", {"room": "demo"}, key)
    assert (status, replayed) == (201, False)
    assert first["data"]["identity"] != second["data"]["identity"]


async def test_requests_at_the_same_time_do_it_once(managed_api: Api) -> None:
    key, slug = fresh("order-"), fresh("once")
    answers = await asyncio.gather(*(again(managed_api, "/apps", {"slug": slug}, key) for _ in range(12)))
    made = [answer for status, answer, _ in answers if status == 201]
    waiting = [answer for status, answer, _ in answers if status == 409]
    assert len(made) + len(waiting) == 12
    assert all(answer == made[0] for answer in made)
    assert {answer["code"] for answer in waiting} <= {"idempotency_in_progress"}
    assert await again(managed_api, "/apps", {"slug": slug}, key) == (201, made[0], True)


async def test_a_refusal_is_not_kept(managed_api: Api, managed_product: RunningProduct) -> None:
    """Nothing was done, so what was wrong may be put right and sent again; and nothing of it is stored."""
    key, slug = fresh("order-"), fresh("later")
    path = f"/apps/{slug}/tokens"
    assert (await again(managed_api, path, {"room": "demo"}, key))[0] == 404
    before = rows(managed_product)
    for refused, body in (("/apps/live/tokens", {"room": "x", "y" * 100_000: 1}), ("/nope", {}), (path, {})):
        assert (await again(managed_api, refused, body, fresh("order-")))[0] in {404, 422}
    assert rows(managed_product) == before
    await managed_api("POST", "/apps", {"slug": slug}, expect=201)
    status, first, replayed = await again(managed_api, path, {"room": "demo"}, key)
    assert (status, replayed) == (201, False)
    assert await again(managed_api, path, {"room": "demo"}, key) == (201, first, True)


async def test_an_answer_is_not_for_a_key_that_lost_its_scope(managed_api: Api) -> None:
    both = {"name": "x", "scopes": ["keys:write", "apps:read"]}
    made = (await managed_api("POST", "/keys", both, expect=201))["data"]
    caller = managed_api.as_key(made["key"])
    body, key = {"name": "child", "scopes": ["apps:read"]}, fresh("order-")
    assert (await again(caller, "/keys", body, key))[0] == 201
    await managed_api("PATCH", f"/keys/{made['id']}", {"scopes": ["apps:read"]}, expect=200)
    status, answer, replayed = await again(caller, "/keys", body, key)
    assert (status, answer["code"], replayed) == (403, "missing_scope", False)
    await managed_api("PATCH", f"/keys/{made['id']}", {"scopes": ["keys:write", "apps:read"]}, expect=200)
    assert (await again(caller, "/keys", body, key))[2]


async def test_a_large_answer_is_not_kept_and_nothing_is_done_twice(here: Here) -> None:
    key, body = fresh("order-"), {"roomName": "demo", "agents": agents(6, 60_000)}
    assert (await again(here.api, "/apps/live/sessions", body, key))[0] == 201
    status, answer, _ = await again(here.api, "/apps/live/sessions", body, key)
    assert (status, answer["code"]) == (409, "idempotency_answer_too_large")
    assert len((await here.api("GET", "/apps/live/sessions"))["data"]) == 1


async def test_what_is_kept_for_a_key_has_a_bound(here: Here) -> None:
    """The oldest go first, so that a retry, which comes soon, still gets its answer."""
    body = {"room": "demo", "metadata": "x" * 60_000}
    keys = [fresh("order-") for _ in range(20)]
    answers = [await again(here.api, "/apps/live/tokens", body, key) for key in keys]
    assert {status for status, _, _ in answers} == {201}
    database = sqlite3.connect(f"file:{here.services.settings.data_dir / 'stagedoor.db'}?mode=ro", uri=True)
    kept = database.execute("SELECT sum(length(sealed_body)) FROM idempotency_answers").fetchone()[0]
    database.close()
    assert 500_000 < kept < 1_048_576 * 17 // 16 + 150_000
    assert await again(here.api, "/apps/live/tokens", body, keys[-1]) == (201, answers[-1][1], True)
    assert not (await again(here.api, "/apps/live/tokens", body, keys[0]))[2]


def agents(count: int, size: int) -> list[dict[str, str]]:
    return [{"agentName": f"agent{number}", "metadata": "x" * size} for number in range(count)]


def rows(product: RunningProduct) -> int:
    database = sqlite3.connect(f"file:{product.data_dir / 'stagedoor.db'}?mode=ro", uri=True)
    found: int = database.execute("SELECT count(*) FROM idempotency_answers").fetchone()[0]
    database.close()
    return found


async def test_an_unknown_caller_leaves_nothing_behind(managed_api: Api) -> None:
    key = fresh("order-")
    nobody, garbage = managed_api.as_key(None), managed_api.as_key("sk_garbage")
    for caller, code in ((nobody, "no_key"), (garbage, "bad_key")):
        answer = await problem(caller, "POST", "/apps/live/tokens", {"room": "x"}, **{"Idempotency-Key": key})
        assert answer == (401, code)
    assert await again(managed_api, "/apps/live/tokens", {"room": "x"}, key) != (401, None, True)


@pytest.mark.parametrize("key", ["x" * 256, "a\tb", ""], ids=["long", "tab", "empty"])
async def test_a_key_has_1_to_255_printable_characters(managed_api: Api, key: str) -> None:
    answer = await problem(managed_api, "POST", "/apps/live/tokens", {"room": "x"}, **{"Idempotency-Key": key})
    assert answer == (400, "bad_idempotency_key")


async def test_a_get_takes_no_notice(managed_api: Api) -> None:
    for _ in range(2):
        status, _, headers = await managed_api.raw("GET", "/apps", **{"Idempotency-Key": "same"})
        assert status == 200
        assert "idempotency-replayed" not in headers
