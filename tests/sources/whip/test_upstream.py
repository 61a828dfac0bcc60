"""LiveKit's WHIP endpoint, with a real Chromium as the encoder."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import pytest
from livekit.api import AccessToken, VideoGrants
from playwright.async_api import Browser

from stagedoor.kernel.errors import BadRequest, NotFound, Problem, Unavailable
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.sources.whip.sdp import (
    UnacceptableOffer,
    check_answer,
    livekit_fragment,
    parse_description,
    parse_fragment,
)
from stagedoor.sources.whip.upstream import WhipUpstream, ice_servers
from tests.support.browser import chromium
from tests.support.product import KEY, SECRET, ExternalLiveKit
from tests.support.whip_client import WhipClient, credentials

pytestmark = pytest.mark.anyio


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def client(browser: Browser, bare_livekit: ExternalLiveKit) -> WhipClient:
    page = await browser.new_page()
    await page.goto(bare_livekit.url)  # a page of an origin that may use the camera
    return WhipClient(page)


@pytest.fixture
async def upstream(bare_livekit: ExternalLiveKit) -> AsyncGenerator[WhipUpstream]:
    found = WhipUpstream(Endpoint(bare_livekit.url, bare_livekit.url, KEY, SECRET))
    yield found
    await found.close()


def token(identity: str) -> str:
    grants = VideoGrants(room_join=True, room="live-demo", can_publish=True)
    return AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()


def test_links_are_decoded_and_the_placeholder_of_no_server_is_none() -> None:
    sent = ('<stun%3A127.0.0.1%3A3478>; rel="ice-server"', '<stun%3Astun.example.com%3A3478>; rel="ice-server"')
    assert ice_servers(sent) == ('<stun:stun.example.com:3478>; rel="ice-server"',)


async def test_a_session_is_created_trickled_restarted_and_deleted(client: WhipClient, upstream: WhipUpstream) -> None:
    text = await client.offer()
    offer = parse_description(text.encode())
    created = await upstream.create(token("one"), offer.text)
    check_answer(offer, parse_description(created.answer))
    assert created.participant_sid.startswith("PA_")
    assert await client.connection(created.answer.decode()) == "connected"

    assert offer.mid is not None
    trickled = parse_fragment((credentials(text) + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n").encode())
    await upstream.trickle(
        token("one"), created.participant_sid, created.etag, livekit_fragment(trickled, offer.mid, candidates=True)
    )

    fragment = parse_fragment(credentials(await client.restart()).encode())
    restarted = await upstream.restart(
        token("one"), created.participant_sid, livekit_fragment(fragment, offer.mid, candidates=False)
    )
    assert restarted.etag not in {"", created.etag}
    assert b"a=candidate:" in restarted.fragment
    await client.finish_restart(restarted.fragment.decode())
    assert await client.connection() == "connected"

    await upstream.delete(token("one"), created.participant_sid)
    with pytest.raises(NotFound):
        await upstream.delete(token("one"), created.participant_sid)


async def test_candidates_at_the_end_of_an_offer_do_not_end_livekit_when_ice_restarts(
    client: WhipClient, upstream: WhipUpstream, bare_livekit: ExternalLiveKit
) -> None:
    """LiveKit 1.13.5 panics on it, and every room of it ends: the offer that it gets has no candidates."""
    text = await client.offer(gather=True)
    sections = re.split(r"(?m)^(?=m=)", text)
    assert "a=candidate" in text
    reordered = sections[0] + "".join(_candidates_last(section) for section in sections[1:])
    offer = parse_description(reordered.encode())
    created = await upstream.create(token("two"), offer.text)
    assert await client.connection(created.answer.decode()) == "connected"
    pid = bare_livekit.pid
    for _ in range(2):
        fragment = parse_fragment(
            (
                credentials(await client.restart()) + "".join(f"a=candidate:{each}\r\n" for each in offer.candidates)
            ).encode()
        )
        assert offer.mid is not None
        restarted = await upstream.restart(
            token("two"), created.participant_sid, livekit_fragment(fragment, offer.mid, candidates=False)
        )
        await client.finish_restart(restarted.fragment.decode())
        assert await client.connection() == "connected"
    assert bare_livekit.pid == pid
    await upstream.delete(token("two"), created.participant_sid)


async def test_an_offer_of_codecs_that_livekit_does_not_take_is_not_met_in_part(
    client: WhipClient, upstream: WhipUpstream
) -> None:
    text = re.sub("VP8|VP9|AV1|H264", "H266", await client.offer())
    offer = parse_description(text.encode())
    created = await upstream.create(token("three"), offer.text)
    with pytest.raises(UnacceptableOffer, match="H266"):
        check_answer(offer, parse_description(created.answer))
    await upstream.delete(token("three"), created.participant_sid)


async def test_refusals_of_livekit_are_problems(upstream: WhipUpstream) -> None:
    with pytest.raises(BadRequest):
        await upstream.create(token("four"), "no SDP")
    with pytest.raises(Problem) as refused:
        await upstream.create("no token", "v=0\r\n")
    assert refused.value.status == 502


async def test_a_livekit_that_is_away_is_unavailable() -> None:
    away = WhipUpstream(Endpoint("http://127.0.0.1:9", "", KEY, SECRET))
    with pytest.raises(Unavailable) as refused:
        await away.create(token("five"), "v=0\r\n")
    assert "Retry-After" in refused.value.headers
    await away.close()


def _candidates_last(section: str) -> str:
    lines = section.splitlines()
    candidates = [line for line in lines if line.startswith("a=candidate")]
    rest = [line for line in lines if not line.startswith("a=candidate")]
    return "\r\n".join([*rest, *candidates, "a=end-of-candidates", ""])
