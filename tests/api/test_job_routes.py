"""`/jobs` and `stagedoor jobs`: an operator sees the queue, has a job done again, and ends one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.support.api_tenant import new_app
from tests.support.product import Api, RunningProduct, eventually

HOUSEKEEPING = "jobs.forget"


async def recurring(api: Api, after: str = "") -> dict[str, Any]:
    """The one that waits for its next time, once it is a later one than `after`."""

    async def queued() -> Any:
        found = await api("GET", f"/jobs?kind={HOUSEKEEPING}&state=queued")
        return [job for job in found["data"] if job["id"] > after]

    (job,) = await eventually(queued)
    return job


async def test_housekeeping_is_done_at_the_start_and_waits_for_its_next_time(managed_api: Api) -> None:
    waiting = await recurring(managed_api)
    done = (await managed_api("GET", f"/jobs?kind={HOUSEKEEPING}&state=done"))["data"]
    assert done
    assert waiting["runAt"] > done[0]["finishedAt"]
    assert (await managed_api("GET", f"/jobs/{waiting['id']}"))["data"] == waiting


async def test_a_waiting_job_is_done_at_once_when_it_is_retried(managed_api: Api) -> None:
    waiting = await recurring(managed_api)
    await managed_api("POST", f"/jobs/{waiting['id']}/retry")

    async def done() -> Any:
        return (await managed_api("GET", f"/jobs/{waiting['id']}"))["data"]["state"] == "done"

    await eventually(done)
    assert (await recurring(managed_api))["id"] != waiting["id"]
    again = await managed_api("POST", f"/jobs/{waiting['id']}/retry", expect=409)
    assert again["code"] == "job_superseded"
    finished = await managed_api("POST", f"/jobs/{waiting['id']}/cancel", expect=409)
    assert finished["code"] == "job_finished"


async def test_a_cancelled_job_is_not_done_until_it_is_retried(managed_api: Api) -> None:
    app = await new_app(managed_api)
    session = (await managed_api("POST", f"/apps/{app}/sessions", {}, expect=201))["data"]["id"]
    limits = (await managed_api("GET", "/jobs?kind=session.limit&state=queued"))["data"]
    (waiting,) = [job for job in limits if job["payload"]["session"] == session]
    cancelled = (await managed_api("POST", f"/jobs/{waiting['id']}/cancel"))["data"]
    assert cancelled["state"] == "cancelled"
    assert (await managed_api("GET", "/jobs?state=cancelled"))["data"][0]["id"] == waiting["id"]
    again = (await managed_api("POST", f"/jobs/{waiting['id']}/retry"))["data"]
    assert again["state"] == "queued"


async def test_what_recurs_is_not_cancelled(managed_api: Api) -> None:
    waiting = await recurring(managed_api)
    refused = await managed_api("POST", f"/jobs/{waiting['id']}/cancel", expect=409)
    assert refused["code"] == "job_recurs"


async def test_a_session_that_began_has_no_limit_to_its_wait_any_more(managed_api: Api) -> None:
    app = await new_app(managed_api)
    body = {"roomName": "here"}
    session = (await managed_api("POST", f"/apps/{app}/sessions", body, expect=201))["data"]["id"]

    async def limits() -> list[Any]:
        listed = (await managed_api("GET", "/jobs?kind=session.limit&state=queued&limit=200"))["data"]
        return [job for job in listed if job["payload"]["session"] == session]

    assert len(await limits()) == 1
    await managed_api("POST", f"/apps/{app}/rooms", {"name": "here"}, expect=201)

    async def none() -> bool:
        return not await limits()

    await eventually(none)


async def test_pages_go_on_where_the_last_one_ended(managed_api: Api) -> None:
    waiting = await recurring(managed_api)
    await managed_api("POST", f"/jobs/{waiting['id']}/retry")
    await recurring(managed_api, after=waiting["id"])
    everything = [job["id"] for job in (await managed_api("GET", "/jobs?limit=200"))["data"]]
    seen: list[str] = []
    cursor = ""
    while True:
        answer = await managed_api("GET", f"/jobs?limit=1{cursor}")
        seen += [job["id"] for job in answer["data"]]
        if answer["page"]["next"] is None:
            break
        cursor = f"&cursor={answer['page']['next']}"
    assert seen == everything
    assert len(seen) > 1


async def test_the_command_speaks_the_same(managed_api: Api, managed_product: RunningProduct) -> None:
    waiting = await recurring(managed_api)

    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "stagedoor", "jobs", *arguments, "--data-dir", str(managed_product.data_dir)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)

    listed = run("list", "--kind", HOUSEKEEPING, "--state", "queued", "--json")
    assert [job["id"] for job in listed] == [waiting["id"]]
    assert run("show", waiting["id"], "--json")["kind"] == HOUSEKEEPING
    await managed_api("POST", f"/apps/{await new_app(managed_api)}/sessions", {}, expect=201)
    limit = run("list", "--kind", "session.limit", "--state", "queued", "--json")[0]
    assert run("cancel", limit["id"], "--json")["state"] == "cancelled"
    assert run("retry", waiting["id"], "--json")["state"] in {"queued", "running", "done"}
    await recurring(managed_api, after=waiting["id"])


async def test_metrics_count_jobs(managed_api: Api, managed_product: RunningProduct) -> None:
    await recurring(managed_api)
    _, body, _ = await managed_api.raw("GET", "/metrics")
    text = body.decode()
    assert f'stagedoor_jobs{{kind="{HOUSEKEEPING}",state="queued"}} 1.0' in text
    assert f'stagedoor_jobs_oldest_ready_seconds{{kind="{HOUSEKEEPING}"}} 0.0' in text
    assert f'stagedoor_jobs_attempts_total{{kind="{HOUSEKEEPING}",outcome="done"}}' in text
