"""`/play`, `/embed`, `/meet`: who gets the page, what it carries, and that a refusal says nothing."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from livekit import api as livekit

from tests.support.api_participant import joined
from tests.support.api_tenant import fresh, new_app, new_key
from tests.support.product import Api, RunningProduct, eventually

PAGES = ["play", "embed", "meet", "publish"]
Answer = tuple[int, dict[str, str], bytes]


async def got(http: aiohttp.ClientSession, url: str, method: str = "GET", body: Any = None) -> Answer:
    async with http.request(method, url, json=body) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()


async def link(api: Api, app: str, page: str, **fields: Any) -> str:
    url: str = (await api("POST", f"/apps/{app}/rooms/demo/links", {"page": page, **fields}, expect=201))["data"]["url"]
    return url


def policy(headers: dict[str, str]) -> dict[str, str]:
    rules = (rule.strip().partition(" ") for rule in headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in rules}


def config(page: bytes) -> dict[str, Any]:
    found = re.search(rb'<script type="application/json" id="stagedoor-config">(.*?)</script>', page)
    assert found is not None
    decoded: dict[str, Any] = json.loads(found[1])
    return decoded


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_has_a_strict_policy_and_is_not_kept(
    http: aiohttp.ClientSession, managed_api: Api, managed_product: RunningProduct, page: str
) -> None:
    status, headers, body = await got(http, await link(managed_api, "live", page))
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    rules = policy(headers)
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert (rules["base-uri"], rules["form-action"]) == ("'none'", "'none'")
    media = managed_product.ready["livekit"]["url"]
    assert rules["connect-src"] == f"'self' {media} {media.replace('ws', 'http', 1)}"
    assert rules["frame-ancestors"] == ("*" if page == "embed" else "'self'")
    assert "unsafe" not in headers["content-security-policy"]
    for source in re.findall(rb'(?:src|href)="([^"]+)"', body):
        assert source.startswith((b"/assets/", b"data:", b"/"))
        assert not source.startswith(b"//")
    shown = config(body)
    assert (shown["page"], shown["app"], shown["room"], shown["livekitRoom"]) == (page, "live", "demo", "live-demo")


async def test_frame_ancestors_is_a_setting_of_the_app(http: aiohttp.ClientSession, managed_api: Api) -> None:
    app = await new_app(managed_api, frameAncestors=["https://a.example", "https://*.b.example"])
    for page in PAGES:
        _, headers, _ = await got(http, await link(managed_api, app, page))
        assert policy(headers)["frame-ancestors"] == "https://a.example https://*.b.example"
    await managed_api("PATCH", f"/apps/{app}", {"settings": {"frameAncestors": []}}, expect=200)
    _, headers, _ = await got(http, await link(managed_api, app, "embed"))
    assert policy(headers)["frame-ancestors"] == "'none'"


async def test_signed_playback_needs_the_links_token(http: aiohttp.ClientSession, managed_api: Api) -> None:
    for page in PAGES:
        url = await link(managed_api, "live", page)
        bare = url.partition("?")[0]
        assert (await got(http, bare))[0] == 404
        assert (await got(http, f"{bare}?token="))[0] == 404
        assert (await got(http, f"{url}x"))[0] == 404
        assert (await got(http, url.replace("live-demo", "live-other")))[0] == 404
        assert (await got(http, url.replace("live-demo", "demo")))[0] == 200


async def test_who_may_watch_may_not_take_part(http: aiohttp.ClientSession, managed_api: Api) -> None:
    watch, meet = await link(managed_api, "live", "play"), await link(managed_api, "live", "meet")
    assert (await got(http, watch.replace("/play/", "/embed/")))[0] == 200
    assert (await got(http, watch.replace("/play/", "/meet/")))[0] == 404
    assert (await got(http, watch.replace("/play/", "/publish/")))[0] == 404
    assert (await got(http, meet.replace("/meet/", "/play/")))[0] == 200
    assert (await got(http, meet.replace("/meet/", "/publish/")))[0] == 404


async def test_who_may_publish_may_do_nothing_else(http: aiohttp.ClientSession, managed_api: Api) -> None:
    publish = await link(managed_api, "live", "publish")
    for page in ("play", "embed", "meet"):
        assert (await got(http, publish.replace("/publish/", f"/{page}/")))[0] == 404


async def test_an_api_key_that_reads_rooms_opens_the_pages_to_watch(
    http: aiohttp.ClientSession, managed_api: Api, managed_product: RunningProduct
) -> None:
    app, other = await new_app(managed_api), await new_app(managed_api)
    public = await new_app(managed_api, playbackPolicy="public")

    async def opened(page: str, bearer: str, *, slug: str = app, ending: str = "", query: str = "") -> Answer:
        url = f"{managed_product.url}/{page}/{slug}/demo{ending}{query}"
        headers = {"Authorization": f"Bearer {bearer}"}
        async with http.request("POST" if ending else "GET", url, headers=headers) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    key = await new_key(managed_api, "rooms:read", app=app)
    for page in ("play", "embed"):
        status, headers, body = await opened(page, key)
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/html")
        # The page works in a browser, which sends no key; and the key is not in it.
        assert key.encode() not in body
        status, _, joined_with = await got(http, managed_product.url + config(body)["joinUrl"], "POST")
        assert (status, json.loads(joined_with)["data"]["canPublish"]) == (200, False)
        assert (await got(http, managed_product.url + config(body)["liveUrl"]))[0] == 200
        assert (await opened(page, key, ending="/join"))[0] == 200
        for ending in ("", "/join"):
            assert (await opened(page, await new_key(managed_api, "usage:read", app=app), ending=ending))[0] == 403
            assert (await opened(page, "sk_unknown", ending=ending))[0] == 401
            assert (await opened(page, await new_key(managed_api, "rooms:read", app=other), ending=ending))[0] == 404
            assert (await opened(page, key, slug=fresh("none"), ending=ending))[0] == 404
            # A wrong token is not made good by a key beside it.
            assert (await opened(page, key, ending=ending, query="?token=nonsense"))[0] == 404
        # What a proxy that signs people in sends along is no key.
        assert (await opened(page, "eyJhbGciOiJub25lIn0.e30.", slug=public))[0] == 200
    for page in ("meet", "publish"):
        assert (await opened(page, key))[0] == 404


async def test_public_playback_needs_no_token_and_a_meeting_does(http: aiohttp.ClientSession, managed_api: Api) -> None:
    app = await new_app(managed_api, playbackPolicy="public")
    root = (await link(managed_api, app, "play")).partition("/play/")[0]
    for page in ("play", "embed"):
        assert (await got(http, f"{root}/{page}/{app}/{app}-anything"))[0] == 200
        assert (await got(http, f"{root}/{page}/{app}/anything"))[0] == 200
    assert (await got(http, f"{root}/meet/{app}/{app}-anything"))[0] == 404


async def test_every_refusal_is_the_same_byte_for_byte(
    http: aiohttp.ClientSession, managed_api: Api, managed_product: RunningProduct
) -> None:
    root = managed_product.url
    short = await link(managed_api, "live", "play", ttl="1s")

    async def over() -> bool:
        return (await got(http, short))[0] == 404

    await eventually(over)
    right = (await link(managed_api, "live", "play")).partition("?token=")[2]
    watching = f"{root}/play/live/live-demo?token={right}"
    await managed_api("POST", "/apps/live/rooms", {"name": "there"})
    for page in PAGES:
        refused = {
            "an unknown app": f"{root}/{page}/{fresh('none')}/demo",
            "an unknown app with a token": f"{root}/{page}/{fresh('none')}/demo?token={right}",
            "an unknown room": f"{root}/{page}/live/{fresh('none')}",
            "a room that is there": f"{root}/{page}/live/live-there",
            "a room of no form": f"{root}/{page}/live/live-live-x",
            "a NUL": f"{root}/{page}/live%00/demo",
            "another room's token": f"{root}/{page}/live/live-there?token={right}",
            "an expired token": short.replace("/play/", f"/{page}/"),
            "garbage": f"{root}/{page}/live/live-demo?token=garbage",
            "odd JSON": f"{root}/{page}/live/live-demo?token=W10.e30.eA",
            "no ASCII": f"{root}/{page}/live/live-demo?token=%C3%BC.%00.%FF",
        }
        for ending, method in (("", "GET"), ("/join", "POST")):
            seen: set[tuple[Any, ...]] = set()
            for what, url in refused.items():
                address, mark, query = url.partition("?")
                status, headers, body = await got(http, f"{address}{ending}{mark}{query}", method)
                del headers["date"]
                assert status == 404, (page, what)
                seen.add((status, tuple(sorted(headers.items())), body))
            assert len(seen) == 1, page
    assert (await got(http, watching))[0] == 200
    await managed_api("DELETE", "/apps/live/rooms/there", expect=204)


@pytest.mark.parametrize(("page", "publishes"), [("play", False), ("embed", False), ("meet", True), ("publish", True)])
async def test_what_a_page_joins_with_works(
    http: aiohttp.ClientSession,
    api: Api,
    page: str,
    publishes: bool,
) -> None:
    app = await new_app(api)
    address, _, token = (await link(api, app, page)).partition("?token=")
    status, headers, body = await got(http, f"{address}/join?token={token}", "POST", {"name": " Ada \u2764 "})
    assert (status, headers["cache-control"]) == (200, "no-store")
    data = json.loads(body)["data"]
    assert set(data) == {"wsUrl", "room", "token", "identity", "canPublish"}
    assert (data["room"], data["canPublish"]) == (f"{app}-demo", publishes)
    async with joined(data) as guest:
        assert guest.room.name == f"{app}-demo"
        assert (guest.me.identity, guest.me.name) == (data["identity"], "Ada \u2764")

        async def there() -> Any:
            status, answer, _ = await api.raw("GET", f"/apps/{app}/rooms/demo/participants/{data['identity']}")
            return answer["data"] if status == 200 else None

        permissions = (await eventually(there))["permissions"]
        assert (permissions["canPublish"], permissions["canPublishData"]) == (publishes, page == "meet")
        assert permissions["canSubscribe"] is (page != "publish")
        assert permissions["hidden"] is not publishes


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 200, None),
        (b"{}", 200, None),
        (b'{"name":null}', 200, None),
        (b"garbage", 400, "not_json"),
        (b'{"name":"\xff"}', 400, "not_json"),
        (b'{"more":' + b"[" * 100_000, 400, "not_json"),
        (b'{"name":5}', 422, "validation_failed"),
        (b'{"name":"a\\u0000b"}', 422, "bad_name"),
        (b'{"name":"a\\nb"}', 422, "bad_name"),
        (b'{"name":"' + b"x" * 81 + b'"}', 422, "name_too_long"),
    ],
    ids=["nothing", "empty", "null", "garbage", "not UTF-8", "deep", "number", "NUL", "new line", "long"],
)
async def test_what_a_page_may_send(
    http: aiohttp.ClientSession, managed_api: Api, body: bytes, status: int, code: str | None
) -> None:
    address, _, token = (await link(managed_api, "live", "meet")).partition("?token=")
    async with http.post(f"{address}/join?token={token}", data=body) as answer:
        assert answer.status == status
        assert code is None or (await answer.json(content_type=None))["code"] == code


async def test_a_livekit_join_token_opens_its_room(
    http: aiohttp.ClientSession, api: Api, product: RunningProduct
) -> None:
    app = await new_app(api)
    minted = (await api("POST", f"/apps/{app}/tokens", {"room": "demo", "identity": "ada"}, expect=201))["data"][
        "token"
    ]
    for page in PAGES:
        url = f"{product.url}/{page}/{app}/{app}-demo"
        assert (await got(http, f"{url}?token={minted}"))[0] == 200
        _, _, body = await got(http, f"{url}/join?token={minted}", "POST")
        data = json.loads(body)["data"]
        assert (data["token"], data["identity"], data["canPublish"]) == (minted, "ada", True)
    assert (await got(http, f"{product.url}/play/{app}/other?token={minted}"))[0] == 404
    key, secret = product.livekit_keys

    def token(signer: str, seconds: int, **grants: Any) -> str:
        asked: dict[str, Any] = {"room_join": True, "room": f"{app}-demo"} | grants
        claims = livekit.VideoGrants(**asked)
        made = livekit.AccessToken(key, signer).with_identity("eve").with_grants(claims)
        return made.with_ttl(timedelta(seconds=seconds)).to_jwt()

    url = f"{product.url}/play/{app}/{app}-demo?token="
    assert (await got(http, url + token(secret, 60)))[0] == 200
    assert (await got(http, url + token("not-the-secret-of-this-livekit-server", 60)))[0] == 404
    assert (await got(http, url + token(secret, -120)))[0] == 404
    assert (await got(http, url + token(secret, 60, room_join=False)))[0] == 404
    assert (await got(http, url + token(secret, 60, can_subscribe=False)))[0] == 404


async def test_names_in_a_page_do_not_end_its_script(http: aiohttp.ClientSession, managed_api: Api) -> None:
    app = await new_app(managed_api, playbackPolicy="public")
    root = (await link(managed_api, app, "play")).partition("/play/")[0]
    status, _, body = await got(http, f"{root}/play/{app}/%3C%2Fscript%3E%3Cscript%3Ealert(1)")
    assert status in {200, 404}
    assert b"<script>alert" not in body


async def test_assets_may_be_cached_indefinitely(http: aiohttp.ClientSession, managed_api: Api) -> None:
    url = await link(managed_api, "live", "play")
    _, _, body = await got(http, url)
    found = re.search(rb'src="(/assets/[^"]+\.js)"', body)
    assert found is not None
    root = url.partition("/play/")[0]
    status, headers, _ = await got(http, root + found[1].decode())
    assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert "javascript" in headers["content-type"]


async def test_assets_are_sent_compressed(http: aiohttp.ClientSession, managed_api: Api) -> None:
    url = await link(managed_api, "live", "play")
    root = url.partition("/play/")[0]
    _, _, body = await got(http, url)
    found = re.search(rb'href="(/assets/open-[^"]+\.js)"', body)
    assert found is not None
    sizes: dict[str, int] = {}
    for coding, expected in (("identity", None), ("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0, gzip", "gzip")):
        headers = {"Accept-Encoding": coding}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as raw,
            raw.get(root + found[1].decode(), headers=headers) as answer,
        ):
            assert answer.status == 200
            assert answer.headers.get("Content-Encoding") == expected
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert "javascript" in answer.headers["Content-Type"]
            sizes[coding] = int(answer.headers["Content-Length"])
    assert sizes["gzip, br"] < sizes["gzip"] < sizes["identity"] / 2
    async with http.get(f"{root}/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.json())["openapi"] == "3.1.0"


async def test_the_root_leads_to_the_contract(http: aiohttp.ClientSession, managed_product: RunningProduct) -> None:
    async with http.get(managed_product.url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "/api/v1/docs")
