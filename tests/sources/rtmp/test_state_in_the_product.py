"""What the running product says about streams that encoders push: what is left out, and why they end."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import aiohttp
import pytest

from stagedoor.sources.rtmp.message import Message
from tests.sources.rtmp.test_product import ended, made, push, state_of, until
from tests.support.api_feed import following
from tests.support.flv import HEADER, Tag, encode, play, split
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, running
from tests.support.rtmp_encoder import codes
from tests.support.rtmp_pushing import ffmpeg
from tests.support.rtmp_server import RawEncoder

pytestmark = pytest.mark.anyio

LARGEST = 1_000_000


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    with running(
        tmp_path_factory.mktemp("rtmp"),
        STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}",
        STAGEDOOR_RTMP_MAX_MESSAGE_BYTES=str(LARGEST),
    ) as product:
        yield product


@pytest.fixture
async def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


async def begun(ingress: dict[str, Any]) -> RawEncoder:
    """An encoder that may publish."""
    encoder = await RawEncoder.connect(int(ingress["url"].rpartition(":")[2].partition("/")[0]))
    await encoder.publish(ingress["streamKey"])
    await encoder.until_code("NetStream.Publish.Start")
    return encoder


def send(encoder: RawEncoder, tags: list[Tag]) -> None:
    for one in tags:
        encoder.writer.write(encoder.chunks.write(Message(one.kind, 1, one.ms, one.body), one.kind))


async def detail(
    product: RunningProduct, http: aiohttp.ClientSession, ingress: dict[str, Any], event: str
) -> dict[str, Any]:
    """What the first event of this type says of the ingress."""
    assert product.api_key is not None
    async with following(http, product.url, product.api_key, "live", after=0) as events:
        async for one in events:
            if one.type == event and one.data["detail"]["ingressId"] == ingress["ingressId"]:
                return one.data["detail"]
    raise EOFError("the feed ended")


async def test_rates_are_measured_and_the_frame_rate_is_the_nominal_one(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    ingress = await made(api, "rates")
    process = await push(ffmpeg(f"{ingress['url']}/{ingress['streamKey']}", 60, "-bf", "0", "-tune", "zerolatency"))
    try:
        state = await until(state_of(api, ingress), lambda state: state["audio"] and state["audio"]["bitrate"])
        assert 10_000 < state["audio"]["bitrate"] < 500_000
        started = await detail(product, http, ingress, "ingress.started")
        assert started["video"]["fps"] == 25
        assert started["video"]["bitrate"] is None, "a rate that is not measured yet is not 0"
    finally:
        await ended(process)


async def test_sound_that_is_left_out_is_in_the_state_with_what_to_change(api: Api) -> None:
    """Case N02: DJI's sound of the kind 15."""
    ingress = await made(api, "kind15")
    tags = [Tag(one.data[:11] + b"\xf0" + one.data[12:]) if one.kind == 8 else one for one in encode(4)]
    encoder = await begun(ingress)
    send(encoder, tags)
    state = await until(state_of(api, ingress), lambda state: state["status"] == "publishing" and state["audio"])
    assert state["audio"]["codec"] == "flv-15"
    assert not state["audio"]["passthrough"]
    assert state["audio"]["bitrate"] is None
    assert "set the encoder to AAC" in state["audio"]["reason"]
    encoder.close()


async def test_sound_that_is_announced_and_does_not_come_is_in_the_state(api: Api) -> None:
    ingress = await made(api, "mute")
    tags = [one for one in encode(20) if one.kind != 8]
    encoder = await begun(ingress)
    sending = asyncio.create_task(play(tags, lambda data: send(encoder, split(HEADER + data))))
    state = await until(state_of(api, ingress), lambda state: state["status"] == "publishing" and state["audio"])
    assert state["audio"]["codec"] == "aac"
    assert "announces audio" in state["audio"]["reason"]
    assert state["video"]["reason"] is None
    sending.cancel()
    encoder.close()


async def test_video_without_a_sequence_header_fails_and_the_error_goes_with_the_next_attempt(api: Api) -> None:
    ingress = await made(api, "headless")
    tags = [one for one in encode(2, audio=None) if not one.is_header and one.kind == 9]
    encoder = await begun(ingress)

    async def go_on() -> None:
        """Some seconds of the encoder's clock in one: the time is the encoder's."""
        for number in range(1_000):
            send(encoder, [one.at(one.ms // 2 + number * 1_000) for one in tags])
            await asyncio.sleep(0.2)

    going_on = asyncio.create_task(go_on())
    state = await until(state_of(api, ingress), lambda state: state["status"] == "error")
    going_on.cancel()
    assert state["error"]["code"] == "undecodable"
    assert "sequence header" in state["error"]["message"]
    assert b"sequence header" in await encoder.until_end()
    encoder = await begun(ingress)
    state = await until(state_of(api, ingress), lambda state: state["status"] == "connecting")
    assert state["error"] is None
    encoder.close()


async def test_a_limit_of_the_protocol_is_in_the_state_with_its_setting(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    ingress = await made(api, "toobig")
    encoder = await begun(ingress)
    encoder.writer.write(encoder.chunks.write(Message(9, 1, 0, bytes(LARGEST + 1)), 6)[:10_000])
    answered = await encoder.until_end()
    assert codes(answered)[-1] == "NetStream.Publish.Failed"
    state = await until(state_of(api, ingress), lambda state: state["status"] == "error")
    assert state["error"]["code"] == "message_too_big"
    assert "rtmp_max_message_bytes" in state["error"]["message"]
    failed = await detail(product, http, ingress, "ingress.failed")
    assert failed["error"] == state["error"]


async def test_a_stream_that_stagedoor_ends_because_it_stops_says_so(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    ingress = await made(api, "stopped")
    process = await push(ffmpeg(f"{ingress['url']}/{ingress['streamKey']}", 60, "-bf", "0"))
    try:
        await until(state_of(api, ingress), lambda state: state["status"] == "publishing")
        await asyncio.to_thread(product.stop)
    finally:
        await ended(process)
    await asyncio.to_thread(product.start)
    ending = await detail(product, http, ingress, "ingress.ended")
    assert ending["reason"] == "server_stops"
