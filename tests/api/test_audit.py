"""The audit trail: what administrators did, whose it was, and who may read it."""

from __future__ import annotations

from tests.support.api_tenant import fresh, new_key
from tests.support.product import Api


async def test_administration_leaves_a_trail(managed_api: Api) -> None:
    slug = fresh("org")
    organisation = (await managed_api("POST", "/organisations", {"name": "O", "slug": slug}, expect=201))["data"]
    app = (await managed_api("POST", "/apps", {"slug": fresh("app"), "organisation": slug}, expect=201))["data"]
    await managed_api("PATCH", f"/apps/{app['id']}", {"name": "changed"})
    key = (await managed_api("POST", "/keys", {"name": "k", "scopes": ["admin"], "app": app["id"]}, expect=201))["data"]
    hook = {"url": "https://example.com/hook?secret=s3cret"}
    hook_id = (await managed_api("POST", f"/apps/{app['id']}/webhooks", hook, expect=201))["data"]["id"]
    await managed_api("POST", f"/webhooks/{hook_id}/rotate")
    await managed_api("DELETE", f"/webhooks/{hook_id}", expect=204)
    await managed_api("DELETE", f"/keys/{key['id']}", expect=204)
    await managed_api("DELETE", f"/organisations/{slug}?force=true", expect=204)
    trail = (await managed_api("GET", "/audit?limit=20"))["data"]
    mine = [entry for entry in trail if entry["organisation"] == organisation["id"]][::-1]
    assert [(entry["action"], entry["target"]) for entry in mine] == [
        ("organisation.created", organisation["id"]),
        ("app.created", app["id"]),
        ("app.changed", app["id"]),
        ("key.created", key["id"]),
        ("webhook.created", hook_id),
        ("webhook.rotated", hook_id),
        ("webhook.deleted", hook_id),
        ("key.revoked", key["id"]),
        ("organisation.deleted", organisation["id"]),
    ]
    assert len({entry["actor"] for entry in mine}) == 1
    assert mine[0]["actor"].startswith("key_")
    assert mine[2]["detail"]["changed"] == {"name": [app["slug"], "changed"]}
    text = str(mine)
    assert "s3cret" not in text
    assert key["key"] not in text


async def test_no_tenant_reads_the_audit_trail_of_another(managed_api: Api) -> None:
    slugs = [fresh("app"), fresh("app")]
    apps = [(await managed_api("POST", "/apps", {"slug": slug}, expect=201))["data"] for slug in slugs]
    mine = managed_api.as_key(await new_key(managed_api, "audit:read", app=slugs[0]))
    seen = (await mine("GET", "/audit"))["data"]
    assert {entry["app"] for entry in seen} == {apps[0]["id"]}
    await mine("GET", f"/audit?app={slugs[1]}", expect=404)


async def test_it_is_read_in_pages_newest_first(managed_api: Api) -> None:
    slug = fresh("app")
    await managed_api("POST", "/apps", {"slug": slug}, expect=201)
    for name in ("one", "two", "three"):
        await managed_api("PATCH", f"/apps/{slug}", {"name": name})
    seen: list[int] = []
    cursor = ""
    while True:
        page = await managed_api("GET", f"/audit?app={slug}&limit=2{cursor}")
        seen += [entry["seq"] for entry in page["data"]]
        if page["page"]["next"] is None:
            break
        cursor = f"&cursor={page['page']['next']}"
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    changed = (await managed_api("GET", f"/audit?app={slug}&action=app.changed"))["data"]
    assert len(changed) == 3
    assert (await managed_api("GET", f"/audit?app={slug}&since=2999-01-01T00:00:00Z"))["data"] == []


async def test_what_is_done_to_calls_leaves_a_trail(managed_api: Api) -> None:
    slug = fresh("app")
    await managed_api("POST", "/apps", {"slug": slug}, expect=201)
    await managed_api("PATCH", f"/apps/{slug}", {"settings": {"transcriptRetention": "90d"}})
    session = (await managed_api("POST", f"/apps/{slug}/sessions", {}, expect=201))["data"]["id"]
    await managed_api("POST", f"/apps/{slug}/sessions/{session}/end")
    await managed_api("POST", f"/apps/{slug}/rooms", {"name": "demo"}, expect=201)
    await managed_api("DELETE", f"/apps/{slug}/rooms/demo/participants/eve?ban=1m", expect=204)
    room = (await managed_api("GET", f"/apps/{slug}/rooms/demo"))["data"]["id"]
    await managed_api("DELETE", f"/apps/{slug}/rooms/demo", expect=204)
    trail = (await managed_api("GET", f"/audit?app={slug}"))["data"][::-1]
    assert [(entry["action"], entry["target"]) for entry in trail[2:]] == [
        ("session.ended", session),
        ("participant.banned", "eve"),
        ("room.deleted", room),
    ]
    assert trail[1]["detail"]["changed"] == {"transcriptRetention": [None, "90d"]}
    (job,) = (await managed_api("GET", "/jobs?kind=jobs.forget&state=queued"))["data"]
    await managed_api("POST", f"/jobs/{job['id']}/retry")
    (newest,) = (await managed_api("GET", "/audit?action=job.retried&limit=1"))["data"]
    assert (newest["target"], newest["organisation"]) == (job["id"], None)
