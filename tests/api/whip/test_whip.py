"""WHIP as encoders speak it: a real Chromium and FFmpeg's muxer publish, a real browser watches."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from livekit.protocol.room import RoomParticipantIdentity
from playwright.async_api import Browser

from tests.support.api_feed import following
from tests.support.api_tenant import fresh, new_app
from tests.support.browser import chromium, moves, visitor
from tests.support.product import Api, RunningProduct, eventually, running
from tests.support.whip_client import WhipClient, credentials

pytestmark = pytest.mark.slow

SDP: Final = {"Content-Type": "application/sdp"}
FRAGMENT: Final = {"Content-Type": "application/trickle-ice-sdpfrag"}


@dataclass
class Here:
    """A product, an app and a room, with an ingress in it."""

    api: Api
    http: aiohttp.ClientSession
    product: RunningProduct
    app: str
    room: str
    ingress: dict[str, Any]

    @property
    def key(self) -> str:
        return self.ingress["streamKey"]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def state(self) -> dict[str, Any]:
        path = f"/apps/{self.app}/ingress/{self.ingress['ingressId']}"
        return (await self.api("GET", path))["data"]["state"]

    async def until(self, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The state, once it is as wanted."""

        async def found() -> dict[str, Any] | None:
            state = await self.state()
            return state if check(state) else None

        return await eventually(found)

    async def participants(self) -> list[dict[str, Any]]:
        path = f"/apps/{self.app}/rooms/{self.room}/participants"
        status, answer, _ = await self.api.raw("GET", path)
        found: list[dict[str, Any]] = answer["data"] if status == 200 else []
        return found

    async def is_empty(self) -> bool:
        return not await self.participants()

    async def send(self, method: str, url: str, body: str = "", **headers: str) -> aiohttp.ClientResponse:
        """Send a request, whose answer is read."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, url, data=body or None, headers=given) as answer:
            await answer.read()
            return answer


@pytest.fixture
async def here(managed_api: Api, managed_product: RunningProduct, http: aiohttp.ClientSession) -> Here:
    app, room = await new_app(managed_api), fresh("door")
    body = {"inputType": "whip", "room": room, "participantName": "Door"}
    ingress = (await managed_api("POST", f"/apps/{app}/ingress", body, expect=201))["data"]
    return Here(managed_api, http, managed_product, app, room, ingress)


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def client(browser: Browser, managed_product: RunningProduct) -> AsyncGenerator[WhipClient]:
    async with visitor(browser) as person:
        await person.page.goto(f"{managed_product.url}/health")  # an origin that may use the camera
        yield WhipClient(person.page)


async def test_a_browser_publishes_and_a_viewer_sees_it_until_it_is_deleted(
    here: Here, client: WhipClient, browser: Browser
) -> None:
    offer = await client.offer()
    answer = await here.send("POST", here.ingress["url"], offer, **SDP, **here.bearer)
    assert answer.status == 201
    session = answer.headers["Location"]
    assert session.startswith(f"{here.product.url}/whip/{here.app}/")
    assert here.key not in session
    assert answer.headers["ETag"].startswith('"')
    assert "Link" not in answer.headers, "this LiveKit has no STUN server but the placeholder"
    assert await client.connection(await answer.text()) == "connected"

    state = await here.until(lambda state: state["status"] == "publishing" and state["video"] is not None)
    (participant,) = await here.participants()
    assert participant["attributes"] == {"stagedoor.source": "whip"}
    assert (participant["identity"], participant["name"]) == (here.ingress["participantIdentity"], "Door")
    assert state["participantSid"] == participant["sid"]
    assert state["video"]["passthrough"] is True
    assert (state["audio"]["codec"], state["error"]) == ("opus", None)
    assert state["audio"] | {"channels": None, "bitrate": None} == state["audio"], "LiveKit does not count them"
    assert (state["video"]["fps"], state["video"]["bitrate"]) == (None, None)
    state = await here.until(lambda state: state["video"]["width"] is not None)
    assert state["video"]["width"] > state["video"]["height"] > 0

    async with visitor(browser) as viewer:
        wanted = {"room": here.room, "identity": "viewer"}
        token = (await here.api("POST", f"/apps/{here.app}/tokens", wanted, expect=201))["data"]
        await viewer.page.goto(token["playUrl"])
        await moves(viewer.page.get_by_test_id("stage-video").first)

    deleted = await here.send("DELETE", session, **here.bearer)
    assert deleted.status == 200
    assert await here.is_empty()
    assert (await here.until(lambda state: state["status"] == "inactive"))["error"] is None
    again = await here.send("DELETE", session, **here.bearer)
    assert (again.status, again.content_type) == (404, "application/problem+json")
    assert here.key not in here.product.log


@pytest.mark.parametrize("ending", ["", "/", "?x=1"])
async def test_an_encoder_with_one_field_has_the_key_in_the_url(here: Here, client: WhipClient, ending: str) -> None:
    url = f"{here.product.url}/whip/{here.key}{ending}"
    answer = await here.send("POST", url, await client.offer(), **SDP)
    assert answer.status == 201
    assert here.key not in answer.headers["Location"]
    assert await client.connection(await answer.text()) == "connected"
    # Who has no field for a key sends none with the session's URL either.
    assert (await here.send("DELETE", answer.headers["Location"])).status == 200
    await here.until(lambda state: state["status"] == "inactive")


async def test_candidates_are_trickled_and_ice_restarts(here: Here, client: WhipClient) -> None:
    offer = await client.offer(gather=True)
    made = await here.send("POST", here.ingress["url"], offer, **SDP, **here.bearer)
    assert await client.connection(await made.text()) == "connected"
    session, etag = made.headers["Location"], made.headers["ETag"]
    more = credentials(offer) + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"

    async def patch(body: str, **headers: str) -> aiohttp.ClientResponse:
        return await here.send("PATCH", session, body, **FRAGMENT, **here.bearer, **headers)

    assert (await patch(more)).status == 204, "the credentials say which ICE session it is"
    assert (await patch(more.replace("a=ice-ufrag:", "a=ice-ufrag:x"))).status == 428
    assert (await patch(more, If_Match='"other"')).status == 412
    assert (await patch(more, If_Match='"other", W/"x,y"')).status == 412
    assert (await patch(more, If_Match=f"W/{etag}")).status == 412, "RFC 9110 has If-Match compare strongly"
    assert (await patch(more, If_Match=f'"other", {etag}')).status == 204
    assert (await patch(more, If_Match='"')).status == 400
    assert (await patch(more.replace("a=ice-ufrag:", "a=ice-ufrag:x"), If_Match=etag)).status == 422
    trickled = await patch(more, If_Match=etag)
    assert (trickled.status, "ETag" in trickled.headers) == (204, False)
    # Clients that keep no entity tag send * with the credentials that they have.
    assert (await patch(more, If_Match='"*"')).status == 204
    assert (await patch("a=mid:0\r\n", If_Match=etag)).status == 400
    assert (await here.send("PATCH", session, "hello", Authorization="Bearer stk_wrong")).status == 401
    assert (await here.send("PATCH", f"{session}x", "hello")).status == 404
    other_type = await here.send("PATCH", session, more, **SDP, **here.bearer, If_Match=etag)
    assert (other_type.status, other_type.headers["Accept-Patch"]) == (415, FRAGMENT["Content-Type"])

    restarted = await patch(credentials(await client.restart()), If_Match="*")
    assert (restarted.status, restarted.content_type) == (200, FRAGMENT["Content-Type"])
    assert restarted.headers["ETag"] != etag
    await client.finish_restart(await restarted.text())
    assert await client.connection() == "connected"
    assert (await patch(more, If_Match=etag)).status == 412
    await here.send("DELETE", session, **here.bearer)


@pytest.mark.parametrize(
    ("change", "reason"), [("delete", None), ("rotate", "key_rotated"), ("disable", "disabled")], ids=lambda it: str(it)
)
async def test_a_session_ends_with_its_key(here: Here, client: WhipClient, change: str, reason: str | None) -> None:
    made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
    assert await client.connection(await made.text()) == "connected"
    await here.until(lambda state: state["status"] == "publishing")
    path = f"/apps/{here.app}/ingress/{here.ingress['ingressId']}"
    if change == "delete":
        await here.api("DELETE", path, expect=204)
    elif change == "rotate":
        await here.api("POST", f"{path}/rotate", expect=200)
    else:
        await here.api("PATCH", path, {"enabled": False}, expect=200)
    await eventually(here.is_empty)
    if reason is not None:
        assert (await here.state())["status"] == "inactive"
    refused = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
    assert refused.status in {401, 403}


async def test_an_encoder_that_vanishes_is_noticed(here: Here, browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.page.goto(f"{here.product.url}/health")
        client = WhipClient(person.page)
        made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
        assert await client.connection(await made.text()) == "connected"
        await here.until(lambda state: state["status"] == "publishing")
    await here.until(lambda state: state["status"] == "inactive")
    assert (await here.send("DELETE", made.headers["Location"], **here.bearer)).status == 404


async def test_the_largest_layer_that_is_published_is_shown(here: Here, browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.page.goto(f"{here.product.url}/health")
        client = WhipClient(person.page)
        offer = await client.offer(layers=2)
        made = await here.send("POST", here.ingress["url"], offer, **SDP, **here.bearer)
        assert await client.connection(await made.text()) == "connected"
        # LiveKit lists the first layer that came, which has half of the width.
        await here.until(lambda state: state["video"] is not None and (state["video"]["width"] or 0) > 320)


@pytest.mark.parametrize(
    ("setting", "limit"), [("ingressMaxWidth", 100), ("ingressMaxHeight", 100)], ids=["width", "height"]
)
async def test_what_is_larger_than_the_app_allows_is_ended(
    here: Here, client: WhipClient, setting: str, limit: int
) -> None:
    await here.api("PATCH", f"/apps/{here.app}", {"settings": {setting: limit}})
    made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
    assert await client.connection(await made.text()) == "connected"
    state = await here.until(lambda state: state["status"] == "error")
    assert state["error"]["code"] == "limit_exceeded"
    assert f"{setting} allows {limit}" in state["error"]["message"]
    assert await here.is_empty()


async def test_the_answer_states_the_bitrate_that_the_app_allows(here: Here, client: WhipClient) -> None:
    await here.api("PATCH", f"/apps/{here.app}", {"settings": {"ingressMaxBitrate": 300_000}})
    made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
    assert "b=TIAS:300000" in await made.text()
    assert await client.connection(await made.text()) == "connected"
    await here.send("DELETE", made.headers["Location"], **here.bearer)


async def test_a_refused_offer_leaves_the_session_of_the_key_alone(
    here: Here, client: WhipClient, browser: Browser
) -> None:
    made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
    assert await client.connection(await made.text()) == "connected"
    before = await here.until(lambda state: state["status"] == "publishing")
    async with visitor(browser) as second:
        await second.page.goto(f"{here.product.url}/health")
        offer = await WhipClient(second.page).offer()
    unknown_codec = re.sub("VP8|VP9|AV1|H264", "H266", offer)
    for bad, status in ((unknown_codec, 406), (offer + "m=video", 400), ("v=0\r\n", 400)):
        assert (await here.send("POST", here.ingress["url"], bad, **SDP, **here.bearer)).status == status
    state = await here.state()
    assert (state["status"], state["participantSid"]) == ("publishing", before["participantSid"])
    async with here.product.livekit() as livekit:
        wanted = RoomParticipantIdentity(room=f"{here.app}-{here.room}", identity=here.ingress["participantIdentity"])
        assert (await livekit.room.get_participant(wanted)).sid == before["participantSid"], "LiveKit has it too"
    assert (await here.send("DELETE", made.headers["Location"], **here.bearer)).status == 200


async def test_the_encoder_takes_over_from_itself(here: Here, browser: Browser) -> None:
    async with visitor(browser) as first, visitor(browser) as second:
        sessions: list[str] = []
        for person in (first, second):
            await person.page.goto(f"{here.product.url}/health")
            client = WhipClient(person.page)
            made = await here.send("POST", here.ingress["url"], await client.offer(), **SDP, **here.bearer)
            assert await client.connection(await made.text()) == "connected"
            sessions.append(made.headers["Location"])
            await here.until(lambda state: state["status"] == "publishing")
        assert len(await here.participants()) == 1
        assert (await here.send("DELETE", sessions[0], **here.bearer)).status == 404
        assert (await here.state())["status"] == "publishing"
        assert (await here.send("DELETE", sessions[1], **here.bearer)).status == 200


async def test_what_is_refused(here: Here, client: WhipClient) -> None:
    url, offer = here.ingress["url"], await client.offer()
    video = offer[offer.index("m=video") :]

    async def refused(body: str, address: str = url, **headers: str) -> tuple[int, str]:
        answer = await here.send("POST", address, body, **(SDP | here.bearer | headers))
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer.status, (await answer.json(content_type="application/problem+json"))["code"]

    assert await refused(offer, Authorization="Bearer stk_wrong") == (401, "bad_stream_key")
    assert await refused(offer, Authorization="") == (401, "bad_stream_key")
    assert await refused(offer, url.replace(here.room, "other")) == (404, "ingress_not_found")
    assert await refused("hello", Authorization="Bearer stk_wrong") == (401, "bad_stream_key"), "before the body"
    assert await refused("hello", Authorization="Bearer stk_wrong", Content_Type="text/plain") == (
        401,
        "bad_stream_key",
    )
    assert await refused("hello", url.replace(here.room, "other")) == (404, "ingress_not_found")
    assert await refused(offer, Content_Type="text/plain") == (415, "unsupported_media_type")
    assert await refused("hello") == (400, "bad_sdp")
    assert await refused("v=0\r\n" + "a=x\r\n" * 60_000) == (413, "too_large")
    assert await refused(offer + video) == (406, "offer_not_acceptable")
    assert await refused(offer.replace("a=sendonly", "a=recvonly")) == (406, "offer_not_acceptable")
    assert await refused(re.sub("VP8|VP9|AV1|H264", "H266", offer)) == (406, "offer_not_acceptable")
    assert await here.is_empty()
    state = await here.until(lambda state: state["status"] == "error")
    assert state["error"]["code"] == "offer_not_acceptable"


async def test_a_page_of_another_origin_may_ask_and_read_every_answer(here: Here) -> None:
    url = here.ingress["url"]
    asked = await here.send("OPTIONS", url, Origin="https://studio.example")
    assert asked.status == 204
    assert asked.headers["Accept-Post"] == "application/sdp"
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    other_method, no_route = await here.send("GET", url), await here.send("POST", f"{here.product.url}/whip", "x")
    async with here.http.post(url, data=io.BytesIO(bytes(2_000_000)), headers=SDP) as oversized:
        await oversized.read()
    no_session = await here.send("DELETE", f"{url}/none")
    answers = [asked, other_method, no_route, oversized, no_session]
    assert [answer.status for answer in answers] == [204, 405, 404, 413, 404]
    for answer in answers:
        for name, value in (("Allow-Origin", "*"), ("Expose-Headers", asked.headers["Access-Control-Expose-Headers"])):
            assert answer.headers.getall(f"Access-Control-{name}") == [value]
    assert "Location" in asked.headers["Access-Control-Expose-Headers"]
    elsewhere = await here.send("GET", f"{here.product.url}/health")
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


async def test_ffmpeg_publishes_by_whip(here: Here) -> None:
    program = """
import sys, time
from fractions import Fraction
import av

def publish():
    out = av.open(sys.argv[1], "w", format="whip", options={"authorization": sys.argv[2]})
    options = {"tune": "zerolatency", "profile": "baseline", "bf": "0", "g": "25"}
    video = out.add_stream("libx264", rate=25, options=options)
    video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
    for index in range(10_000):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([index % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = index, Fraction(1, 25)
        for packet in video.encode(frame):
            out.mux(packet)
        time.sleep(0.04)

for attempt in range(10):
    try:
        publish()
    except av.FFmpegError as error:  # FFmpeg's muxer gives up one start in seven; encoders start again
        print(error, file=sys.stderr)
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, here.ingress["url"], here.key)
    try:
        state = await here.until(lambda state: state["status"] == "publishing" and state["video"] is not None)
        assert state["video"]["codec"] == "h264"
    finally:
        process.kill()
        await process.wait()
    await here.until(lambda state: state["status"] == "inactive")


async def test_what_a_killed_product_left_in_its_room_is_ended_and_the_encoder_comes_again(
    browser: Browser, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with running(tmp_path) as product:
        api = Api(http, product.url, product.api_key)
        room = fresh("door")
        ingress = (await api("POST", "/apps/live/ingress", {"inputType": "whip", "room": room}, expect=201))["data"]
        here = Here(api, http, product, "live", room, ingress)
        async with visitor(browser) as person:
            await person.page.goto(f"{product.url}/health")
            client = WhipClient(person.page)
            made = await here.send("POST", ingress["url"], await client.offer(), **SDP, **here.bearer)
            assert await client.connection(await made.text()) == "connected"
            before = (await here.until(lambda state: state["status"] == "publishing"))["participantSid"]
            product.kill()
            product.start()
            await here.until(lambda state: state["status"] == "inactive")
            await eventually(here.is_empty)
            again = await here.send("POST", ingress["url"], await client.offer(), **SDP, **here.bearer)
            assert await client.connection(await again.text()) == "connected"
            after = await here.until(lambda state: state["status"] == "publishing")
            assert after["participantSid"] != before


async def test_the_reason_of_an_end_is_the_true_one(
    browser: Browser, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with running(tmp_path) as product:
        api = Api(http, product.url, product.api_key)
        room = fresh("door")
        ingress = (await api("POST", "/apps/live/ingress", {"inputType": "whip", "room": room}, expect=201))["data"]
        here = Here(api, http, product, "live", room, ingress)

        async def publish(client: WhipClient) -> None:
            async def answered() -> str | None:  # LiveKit is away for a moment
                made = await here.send("POST", ingress["url"], await client.offer(), **SDP, **here.bearer)
                return await made.text() if made.status == 201 else None

            assert await client.connection(await eventually(answered)) == "connected"
            await here.until(lambda state: state["status"] == "publishing")

        async with visitor(browser) as person:
            await person.page.goto(f"{product.url}/health")
            await publish(WhipClient(person.page))
            os.kill(product.livekit_pid, signal.SIGKILL)
            await here.until(lambda state: state["status"] == "inactive")
            await publish(WhipClient(person.page))
            product.stop()
            product.start()
            assert (await here.state())["status"] == "inactive"
        assert product.api_key is not None
        reasons: list[str] = []
        async with following(http, product.url, product.api_key, "live", after=0) as events:
            while len(reasons) < 2:
                event = await anext(events)
                if event.type == "ingress.ended":
                    reasons.append(event.data["detail"]["reason"])
        assert reasons == ["livekit_lost", "server_stops"]
