"""`/apps`."""

from __future__ import annotations

import pytest

from tests.support.api_participant import guest_in
from tests.support.api_tenant import Tenant, fresh, new_app, new_organisation, new_tenant, problem
from tests.support.product import Api, eventually

CAMERAS = {
    "cameraLimit": 100,
    "cameraMaxFps": 30,
    "cameraMaxFrameBytes": 524_288,
    "cameraIdleTimeout": "30s",
    "cameraQueryKey": False,
    "cameraConflict": "refuse",
    "cameraBridge": "demand",
    "cameraSlate": False,
    "cameraResume": "30s",
    "cameraMaxViewers": 1_000,
}
OUTPUTS = {
    "hlsStart": "demand",
    "hlsSegment": "2s",
    "hlsWindow": 10,
    "hlsIdle": "30s",
    "hlsMaxViewers": 1_000,
    "compositionLayout": "grid",
    "compositionSize": "720p",
    "compositionFps": 25,
    "compositionBitrate": 0,
}
INGRESSES = {
    "engine": "embedded",
    "ingressLimit": 1_000,
    "ingressStreams": 50,
    "ingressMaxBitrate": 20_000_000,
    "ingressMaxWidth": 3_840,
    "ingressMaxHeight": 2_160,
    "ingressMaxFps": 60,
    "ingressConflict": "takeover",
    "ingressStaySeconds": 30,
}


async def test_an_app_is_created_read_changed_and_deleted(managed_api: Api) -> None:
    slug = fresh("app_")
    made = (await managed_api("POST", "/apps", {"slug": slug, "organisation": "default"}, expect=201))["data"]
    assert set(made) == {"id", "organisation", "slug", "name", "settings", "createdAt", "updatedAt"}
    assert made["name"] == slug
    assert made["settings"] == {
        "playbackPolicy": "signed",
        "frameAncestors": None,
        "maxTokenTtl": "7d",
        "roomAccess": "organisation",
        "transcript": "off",
        "transcriptRetention": None,
        "eventRetention": None,
        **CAMERAS,
        **INGRESSES,
        **OUTPUTS,
    }
    for reference in (made["id"], slug):
        assert (await managed_api("GET", f"/apps/{reference}", expect=200))["data"] == made
    await managed_api("PATCH", f"/apps/{slug}", {"name": "Another"}, expect=200)
    change = {"playbackPolicy": "public", "frameAncestors": ["https://a.example"], "maxTokenTtl": "2h"}
    change |= CAMERAS | {"cameraLimit": 5, "cameraMaxFps": 15, "cameraIdleTimeout": "1m", "cameraBridge": "always"}
    change |= {"cameraConflict": "takeover", "cameraQueryKey": True, "cameraSlate": True, "cameraResume": "10s"}
    change |= INGRESSES | {"ingressMaxWidth": 1_280, "ingressConflict": "refuse", "engine": "livekit"}
    change |= OUTPUTS | {"hlsIdle": "1m", "compositionLayout": "speaker", "roomAccess": "invited"}
    change |= {"transcript": "speech", "transcriptRetention": "90d", "eventRetention": "1h"}
    changed = (await managed_api("PATCH", f"/apps/{slug}", {"settings": change}, expect=200))["data"]
    assert (changed["name"], changed["settings"]) == ("Another", change)
    partly = (await managed_api("PATCH", f"/apps/{slug}", {"settings": {"frameAncestors": None}}, expect=200))["data"]
    assert partly["settings"] == change | {"frameAncestors": None}
    kept = {"transcriptRetention": None}
    partly = (await managed_api("PATCH", f"/apps/{slug}", {"settings": kept}, expect=200))["data"]
    assert partly["settings"] == change | {"frameAncestors": None, "transcriptRetention": None}
    await managed_api("DELETE", f"/apps/{slug}", expect=204)
    assert await problem(managed_api, "GET", f"/apps/{slug}") == (404, "app_not_found")


@pytest.mark.parametrize("slug", ["", "Live", "a-b", "a b", "é", "a" * 33, "a\n", "a/b", "a\x00"])
async def test_a_slug_has_no_hyphen_and_nothing_else_that_is_odd(managed_api: Api, slug: str) -> None:
    assert await problem(managed_api, "POST", "/apps", {"slug": slug}) == (422, "validation_failed")


async def test_a_slug_is_unique_across_organisations(managed_api: Api, tenant: Tenant) -> None:
    assert await problem(tenant.api, "POST", "/apps", {"slug": "live"}) == (409, "slug_taken")
    assert await problem(managed_api, "POST", "/apps", {"slug": tenant.app}) == (409, "slug_taken")


async def test_a_list_can_be_of_one_organisation(managed_api: Api, tenant: Tenant) -> None:
    listed = await managed_api("GET", f"/apps?organisation={tenant.organisation}", expect=200)
    assert {app["slug"] for app in listed["data"]} == {tenant.app, tenant.other_app}
    assert await problem(tenant.api, "GET", "/apps?organisation=default") == (404, "organisation_not_found")


@pytest.mark.parametrize(
    "settings",
    [
        {"playbackPolicy": "open"},
        {"frameAncestors": ["javascript:alert(1)"]},
        {"frameAncestors": ["https://a.example; script-src *"]},
        {"frameAncestors": ["https://a.example\r\nX-Evil: 1"]},
        {"maxTokenTtl": "31d"},
        {"transcript": "everything"},
        {"eventRetention": "59m"},
        {"transcriptRetention": "soon"},
        {"maxTokenTtl": "0s"},
        {"cameraMaxFrameBytes": 8 * 1024 * 1024 + 1},
        {"cameraIdleTimeout": "1s"},
        {"cameraConflict": "share"},
        {"cameraMaxFps": 0},
        {"maxTokenTtl": "long"},
        {"unknown": 1},
    ],
)
async def test_settings_are_checked(managed_api: Api, settings: dict[str, object]) -> None:
    body = {"slug": fresh("app"), "settings": settings}
    assert await problem(managed_api, "POST", "/apps", body) == (422, "validation_failed")


async def test_an_app_with_live_rooms_goes_only_when_forced_and_its_people_with_it(api: Api, app: str) -> None:
    async with guest_in(api, app, "busy", "ada") as ada:

        async def live() -> bool:
            return (await api.raw("GET", f"/apps/{app}/rooms/busy"))[0] == 200

        await eventually(live)
        status, answer, _ = await api.raw("DELETE", f"/apps/{app}")
        assert (status, answer["code"], answer["liveRooms"]) == (409, "app_has_live_rooms", 1)
        await api("DELETE", f"/apps/{app}?force=true", expect=204)
        await ada.gone
    assert await problem(api, "GET", f"/apps/{app}/sessions") == (404, "app_not_found")


async def test_a_slug_stays_with_its_organisation_while_tokens_may_live(managed_api: Api) -> None:
    one, other = await new_tenant(managed_api), await new_tenant(managed_api)
    await one.api("DELETE", f"/apps/{one.app}", expect=204)
    assert await problem(other.api, "POST", "/apps", {"slug": one.app}) == (409, "slug_reserved")
    await one.api("POST", "/apps", {"slug": one.app}, expect=201)


async def test_a_shorter_token_life_does_not_let_go_of_the_slug_early(managed_api: Api) -> None:
    one, other = await new_organisation(managed_api), await new_organisation(managed_api)
    slug = await new_app(managed_api, one, maxTokenTtl="30d")
    await managed_api("PATCH", f"/apps/{slug}", {"settings": {"maxTokenTtl": "1s"}}, expect=200)
    await managed_api("DELETE", f"/apps/{slug}", expect=204)
    # Once more, so that nothing forgets what it kept when the app came back for a moment.
    brief = {"slug": slug, "organisation": one, "settings": {"maxTokenTtl": "1s"}}
    await managed_api("POST", "/apps", brief, expect=201)
    await managed_api("DELETE", f"/apps/{slug}", expect=204)
    status, answer, _ = await managed_api.raw("POST", "/apps", {"slug": slug, "organisation": other})
    assert (status, answer["code"]) == (409, "slug_reserved")
