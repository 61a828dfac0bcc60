"""`/organisations`."""

from __future__ import annotations

from tests.support.api_tenant import fresh, new_app, new_key, new_organisation, problem
from tests.support.product import Api


async def test_an_organisation_is_created_read_changed_and_deleted(managed_api: Api) -> None:
    name = fresh("Acme & Sons ")
    made = (await managed_api("POST", "/organisations", {"name": name}, expect=201))["data"]
    assert set(made) == {"id", "name", "slug", "createdAt", "updatedAt"}
    assert made["id"].startswith("org_")
    assert made["slug"] == name.lower().replace(" & ", "-").replace(" ", "-")
    for reference in (made["id"], made["slug"]):
        assert (await managed_api("GET", f"/organisations/{reference}", expect=200))["data"] == made
    changed = (await managed_api("PATCH", f"/organisations/{made['slug']}", {"name": "New"}, expect=200))["data"]
    assert changed == made | {"name": "New", "updatedAt": changed["updatedAt"]}
    slug = fresh("slug-")
    moved = (await managed_api("PATCH", f"/organisations/{made['id']}", {"slug": slug}, expect=200))["data"]
    assert (moved["slug"], moved["name"]) == (slug, "New")
    await managed_api("DELETE", f"/organisations/{slug}", expect=204)
    assert await problem(managed_api, "GET", f"/organisations/{slug}") == (404, "organisation_not_found")


async def test_a_slug_is_unique(managed_api: Api) -> None:
    taken = await new_organisation(managed_api)
    other = await new_organisation(managed_api)
    body = {"name": "x", "slug": taken}
    assert await problem(managed_api, "POST", "/organisations", body) == (409, "slug_taken")
    assert await problem(managed_api, "PATCH", f"/organisations/{other}", {"slug": taken}) == (409, "slug_taken")


async def test_an_organisation_with_apps_goes_only_when_forced_and_takes_its_keys_along(managed_api: Api) -> None:
    slug = await new_organisation(managed_api)
    app = await new_app(managed_api, slug)
    key = managed_api.as_key(await new_key(managed_api, "admin", organisation=slug))
    await key("GET", "/apps", expect=200)
    assert await problem(managed_api, "DELETE", f"/organisations/{slug}") == (409, "organisation_not_empty")
    await managed_api("DELETE", f"/organisations/{slug}?force=true", expect=204)
    assert await problem(managed_api, "GET", f"/apps/{app}") == (404, "app_not_found")
    assert await problem(key, "GET", "/apps") == (401, "bad_key")


async def test_only_a_key_of_the_installation_creates_and_deletes(managed_api: Api) -> None:
    slug = await new_organisation(managed_api)
    bound = managed_api.as_key(await new_key(managed_api, "admin", organisation=slug))
    refused = (403, "installation_key_required")
    assert await problem(bound, "POST", "/organisations", {"name": "x"}) == refused
    assert await problem(bound, "DELETE", f"/organisations/{slug}") == refused
    await bound("PATCH", f"/organisations/{slug}", {"name": "It may be renamed"}, expect=200)


async def test_a_bound_key_lists_its_own_alone(managed_api: Api) -> None:
    slug = await new_organisation(managed_api)
    bound = managed_api.as_key(await new_key(managed_api, "organisations:read", organisation=slug))
    listed = (await bound("GET", "/organisations", expect=200))["data"]
    assert [item["slug"] for item in listed] == [slug]
