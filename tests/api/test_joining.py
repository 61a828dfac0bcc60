"""Users in rooms as themselves: the token has the grants of the role, LiveKit holds to them, and the record wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from livekit import rtc
from livekit.api import TokenVerifier

from tests.support.api_participant import joined
from tests.support.api_tenant import Tenant, fresh, new_key
from tests.support.browser_session import BrowserSession, new_browser, use_link
from tests.support.product import Api, RunningProduct, eventually

User = Callable[..., Awaitable[BrowserSession]]
SOURCES = ["camera", "microphone", "screen_share", "screen_share_audio"]


@pytest.fixture
async def user(managed_product: RunningProduct, managed_api: Api, tenant: Tenant) -> AsyncGenerator[User]:
    """Makes users who are signed in, of the tenant's organisation unless another is named."""
    async with AsyncExitStack() as stack:

        async def make(role: str | None = "member", **fields: Any) -> BrowserSession:
            browser = await stack.enter_async_context(new_browser(managed_product.url))
            body = {"email": f"{fresh('user')}@example.com", "name": "Ada"} | fields
            if role is not None:
                body |= {"organisation": tenant.organisation, "role": role}
            await use_link(browser, (await managed_api("POST", "/users", body, expect=201))["data"]["url"])
            return browser

        yield make


@pytest.fixture
def room(tenant: Tenant) -> str:
    return f"/apps/{tenant.app}/rooms/demo"


async def id_of(browser: BrowserSession) -> str:
    found: str = (await browser("GET", "/me"))["data"]["id"]
    return found


async def join(browser: BrowserSession, room: str, **body: str) -> dict[str, Any]:
    found: dict[str, Any] = (await browser("POST", f"{room}/join", body, expect=201))["data"]
    return found


async def refused(browser: BrowserSession, room: str, **headers: str) -> tuple[int, str]:
    status, answer = await browser.raw("POST", f"{room}/join", {}, **headers)
    return status, answer.get("code", "")


def claims(product: RunningProduct, token: str) -> Any:
    return TokenVerifier(*product.livekit_keys).verify(token)


async def permission_of(api: Api, room: str, identity: str) -> Any:
    status, answer, _ = await api.raw("GET", f"{room}/participants/{identity}")
    return answer["data"]["permissions"] if status == 200 else None


async def can_publish(api: Api, room: str, identity: str, *, so: bool) -> None:
    async def found() -> bool:
        permissions = await permission_of(api, room, identity)
        return permissions is not None and permissions["canPublish"] is so

    await eventually(found)


async def gone(api: Api, room: str, identity: str) -> None:
    async def found() -> bool:
        return (await api.raw("GET", f"{room}/participants/{identity}"))[0] == 404

    await eventually(found)


async def test_the_token_has_exactly_the_grants_of_the_role(
    user: User, room: str, tenant: Tenant, managed_product: RunningProduct
) -> None:
    for role, room_role in (("owner", "host"), ("admin", "host"), ("member", "speaker"), ("viewer", "listener")):
        browser = await user(role)
        await browser("PATCH", "/me", {"name": "Ada L.", "picture": "https://example.com/ada.jpg"})
        answer = await join(browser, room)
        me = await id_of(browser)
        assert (answer["role"], answer["identity"], answer["room"]) == (room_role, me, f"{tenant.app}-demo")
        found = claims(managed_product, answer["token"])
        video = found.video
        assert (video.room_join, video.room, video.can_subscribe) == (True, answer["room"], True)
        assert (video.can_publish, video.can_publish_data) == (role != "viewer", True)
        assert sorted(video.can_publish_sources or []) == ([] if role == "viewer" else SOURCES)
        assert not any((video.room_admin, video.can_update_own_metadata, video.hidden, video.room_create))
        assert (found.identity, found.name) == (me, "Ada L.")
        attributes = dict(found.attributes)
        del attributes["stagedoor.device"]
        picture = {"stagedoor.picture": "https://example.com/ada.jpg"}
        assert attributes == {"stagedoor.user": me, "stagedoor.role": room_role} | picture
        if role == "owner":
            await tenant.api("POST", f"/apps/{tenant.app}/rooms", {"name": "demo"}, expect=201)


async def test_who_may_join(user: User, room: str, tenant: Tenant, managed_api: Api) -> None:
    owner, member, viewer, outsider = await user("owner"), await user(), await user("viewer"), await user(None)
    assert await refused(outsider, room) == (404, "app_not_found")
    assert await refused(viewer, room) == (404, "room_not_found")  # who may create none does not by joining
    await join(member, room)
    await owner("PUT", f"{room}/access", {"level": "invited", "users": [await id_of(outsider)]})
    assert await refused(member, room) == (403, "not_invited")
    assert await refused(viewer, room) == (403, "not_invited")
    assert (await join(outsider, room))["role"] == "speaker"
    assert (await join(owner, room))["role"] == "host"
    mail = (await viewer("GET", "/me"))["data"]["user"]["email"]
    await owner("PUT", f"{room}/access", {"level": "invited", "emails": [mail.upper()]})
    assert (await join(viewer, room))["role"] == "listener"
    assert await refused(outsider, room) == (404, "app_not_found")
    await owner("PUT", f"{room}/access", {"level": "public"})
    assert (await join(outsider, room))["role"] == "listener"
    assert await refused(outsider, f"{room}-unheard-of") == (404, "app_not_found")
    await tenant.api("PATCH", f"/apps/{tenant.app}", {"settings": {"roomAccess": "invited"}})
    assert await refused(member, f"/apps/{tenant.app}/rooms/other") == (403, "not_invited")
    key = await new_key(managed_api, "rooms:join", organisation=tenant.organisation)
    status, answer, _ = await tenant.api.as_key(key).raw("POST", f"{room}/join", {})
    assert (status, answer["code"]) == (403, "user_required")
    assert (await member.raw("PUT", f"{room}/access", {"level": "public"}))[0] == 403


async def test_a_personal_access_token_joins_where_it_acts(user: User, room: str) -> None:
    member = await user()
    for scopes, status in ((["rooms:join"], 201), (["rooms:read"], 403)):
        made = await member("POST", "/me/tokens", {"name": "phone", "scopes": scopes}, expect=201)
        headers = {"Authorization": f"Bearer {made['data']['token']}"}
        assert (await member.raw("POST", f"{room}/join", {}, **headers))[0] == status


async def test_what_a_listener_may_not_do_livekit_refuses(user: User, room: str, tenant: Tenant) -> None:
    await tenant.api("POST", f"/apps/{tenant.app}/rooms", {"name": "demo"}, expect=201)
    viewer = await user("viewer")
    answer = await join(viewer, room)
    async with joined(answer) as guest:
        with pytest.raises(rtc.participant.PublishTrackError):
            await guest.publish_camera()
        await guest.me.set_name("Eve")
        await guest.me.set_attributes({"stagedoor.role": "host"})
        there = (await tenant.api("GET", f"{room}/participants/{answer['identity']}"))["data"]
        assert (there["name"], there["attributes"]["stagedoor.role"]) == ("Ada", "listener")
        assert there["tracks"] == []


async def test_a_role_holds_at_once_and_after_coming_back(user: User, room: str, tenant: Tenant) -> None:
    owner, member = await user("owner"), await user()
    who = await id_of(member)
    path = f"{room}/roles/{who}"
    early = await owner("PUT", path, {"role": "speaker"})
    assert early["data"]["applied"] == "not_in_room"
    answer = await join(member, room)
    async with joined(answer) as guest:
        await guest.publish_camera()
        given = (await owner("PUT", path, {"role": "listener"}))["data"]
        assert (given["applied"], given["reason"]) == (True, None)
        there = (await tenant.api("GET", f"{room}/participants/{who}"))["data"]
        assert there["permissions"]["canPublish"] is False
        assert there["attributes"]["stagedoor.role"] == "listener"
        assert guest.me.permissions is not None

        async def unpublished() -> bool:
            return (await tenant.api("GET", f"{room}/participants/{who}"))["data"]["tracks"] == []

        await eventually(unpublished)
    async with joined(answer):  # with the old token, whose grants are those of a speaker
        await can_publish(tenant.api, room, who, so=False)
        taken = (await owner("DELETE", path))["data"]
        assert (taken["role"], taken["applied"]) == (None, True)
        await can_publish(tenant.api, room, who, so=True)
        permissions = {"permissions": {"canPublish": False}}
        status, problem, _ = await tenant.api.raw("PATCH", f"{room}/participants/{who}", permissions)
        assert (status, problem["code"]) == (409, "role_decides")
    await owner("DELETE", path, expect=404)
    actions = [one["action"] for one in (await owner("GET", "/audit"))["data"]]
    assert {"room.role_given", "room.role_taken"} <= set(actions)


async def test_a_viewer_who_is_made_host_in_a_call_is_one_at_once(user: User, room: str, tenant: Tenant) -> None:
    await tenant.api("POST", f"/apps/{tenant.app}/rooms", {"name": "demo"}, expect=201)
    owner, viewer, member = await user("owner"), await user("viewer"), await user()
    who, other = await id_of(viewer), await id_of(member)
    async with joined(await join(viewer, room)) as host, joined(await join(member, room)) as guest:
        track = (await guest.publish_camera()).sid
        mute = f"{room}/participants/{other}/tracks/{track}/mute"
        refusal = await viewer("POST", mute, {"muted": True}, expect=403)
        assert refusal["code"] == "missing_room_action"
        assert (await owner("PUT", f"{room}/roles/{who}", {"role": "host"}))["data"]["applied"] is True
        there = await permission_of(tenant.api, room, who)
        assert (there["canPublish"], sorted(there["canPublishSources"])) == (True, SOURCES)

        async def client_knows() -> bool:
            return host.me.permissions.can_publish

        await eventually(client_knows)
        await host.publish_camera()
        assert (await viewer("POST", mute, {"muted": True}))["data"]["muted"] is True
        secret = (await viewer("POST", "/me/tokens", {"name": "x", "scopes": ["rooms:read"]}, expect=201))["data"][
            "token"
        ]
        status, problem = await viewer.raw("POST", mute, {"muted": True}, Authorization=f"Bearer {secret}")
        assert (status, problem["code"]) == (403, "missing_scope")
        await viewer("PUT", f"{room}/roles/{other}", {"role": "listener"})
        await viewer("DELETE", f"{room}/participants/{other}", expect=204)
        await asyncio.wait_for(guest.gone, 30)
        elsewhere = await viewer("DELETE", f"{room}-other", expect=404)
        assert elsewhere["code"] == "room_not_found"
        await owner("DELETE", f"{room}/roles/{who}")
        await viewer("DELETE", room, expect=403)
        assert (await permission_of(tenant.api, room, who))["canPublish"] is False
        assert (await viewer.raw("POST", f"/apps/{tenant.app}/rooms", {"name": "more"}))[0] == 403


async def test_only_those_whom_the_organisation_knows_get_a_role(user: User, room: str) -> None:
    owner, outsider = await user("owner"), await user(None)
    path = f"{room}/roles/{await id_of(outsider)}"
    assert (await owner("PUT", path, {"role": "host"}, expect=404))["code"] == "member_not_found"
    await owner("PUT", f"{room}/access", {"level": "invited", "users": [await id_of(outsider)]})
    await owner("PUT", path, {"role": "host"})
    assert (await owner("GET", f"{room}/roles"))["data"] == [{"user": await id_of(outsider), "role": "host"}]


async def test_each_device_is_one_participant_and_a_ban_is_for_all_of_them(
    user: User, room: str, tenant: Tenant
) -> None:
    member = await user()
    who = await id_of(member)
    first = await join(member, room, device="laptop")
    async with joined(first) as laptop:

        async def there() -> bool:
            return (await tenant.api.raw("GET", f"{room}/participants/{who}"))[0] == 200

        await eventually(there)
        second = await join(member, room, device="phone")
        assert first["identity"] == who
        assert second["identity"].startswith(f"{who}:")
        assert (await join(member, room, device="laptop"))["identity"] == who
        async with joined(second) as phone:
            await tenant.api("DELETE", f"{room}/participants/{second['identity']}?ban=10m", expect=204)
            await asyncio.wait_for(asyncio.gather(phone.gone, laptop.gone), 30)
        assert await refused(member, room) == (403, "banned")
        async with joined(first) as again:
            await asyncio.wait_for(again.gone, 30)


async def test_who_may_not_be_there_any_more_is_removed(user: User, room: str, tenant: Tenant) -> None:
    owner, member = await user("owner"), await user()
    answer = await join(member, room)
    async with joined(answer) as guest:
        await owner("PUT", f"{room}/access", {"level": "invited"})
        await asyncio.wait_for(guest.gone, 30)
    async with joined(answer) as guest:
        await asyncio.wait_for(guest.gone, 30)
    await gone(tenant.api, room, answer["identity"])


async def test_an_identity_of_a_user_s_form_is_a_users_only_by_a_user_s_token(
    user: User, room: str, tenant: Tenant
) -> None:
    who = await id_of(await user("viewer"))
    body = {"room": "demo", "identity": who}
    token = (await tenant.api("POST", f"/apps/{tenant.app}/tokens", body, expect=201))["data"]
    async with joined(token) as guest:
        await guest.publish_camera()
        given = (await tenant.api("PUT", f"{room}/roles/{who}", {"role": "listener"}))["data"]
        assert given["applied"] == "not_in_room"
        assert not guest.gone.done()


async def test_who_leaves_the_organisation_leaves_its_rooms_at_once(
    user: User, room: str, tenant: Tenant, managed_api: Api
) -> None:
    owner = await user("owner")
    for path, method, body in (
        (f"/organisations/{tenant.organisation}/members/{{}}", "DELETE", None),
        ("/users/{}", "PATCH", {"disabled": True}),
    ):
        member = await user()
        who = await id_of(member)
        first, second = await join(member, room), await join(member, f"{room}-other")
        async with joined(first) as here, joined(second) as there:
            for place in (room, f"{room}-other"):
                await can_publish(tenant.api, place, who, so=True)
            await managed_api(method, path.format(who), body)
            await asyncio.wait_for(asyncio.gather(here.gone, there.gone), 30)
        async with joined(first) as again:  # LiveKit admits the old token
            await asyncio.wait_for(again.gone, 30)
        if method == "DELETE":
            assert await refused(member, room) == (404, "app_not_found")
        else:
            assert (await refused(member, room))[0] == 401
    removed = [event async for event in removals(owner, tenant)]
    assert {"members_only", "user_disabled"} <= {event["detail"].get("because") for event in removed}


async def removals(owner: BrowserSession, tenant: Tenant) -> AsyncGenerator[Any]:
    for session in (await owner("GET", f"/apps/{tenant.app}/sessions"))["data"]:
        found = (await owner("GET", f"/apps/{tenant.app}/sessions/{session['id']}"))["data"]
        for event in found["timeline"]:
            if event["type"] == "participant.removed":
                yield event


async def test_a_lesser_role_in_the_organisation_is_a_lesser_role_in_its_rooms(
    user: User, room: str, tenant: Tenant
) -> None:
    owner, member = await user("owner"), await user()
    who = await id_of(member)
    assert (await member("GET", "/me"))["data"]["roomRole"] == "speaker"
    async with joined(await join(member, room)):
        await can_publish(tenant.api, room, who, so=True)
        await owner("PATCH", f"/organisations/{tenant.organisation}/members/{who}", {"role": "viewer"})
        await can_publish(tenant.api, room, who, so=False)
    mine = (await member("GET", "/me"))["data"]
    assert (mine["roomRole"], mine["roomRoles"]["listener"]) == ("listener", ["watch", "chat"])
