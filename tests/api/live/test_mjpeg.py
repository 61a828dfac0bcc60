"""`GET /live/{app}/{room}/mjpeg`: each frame is there as soon as it came, for viewers of every speed."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from stagedoor.streams import scaling
from stagedoor.streams.placeholder import placeholder
from tests.api.live.conftest import Here
from tests.support.api_wire import exchange
from tests.support.cameras import (
    BLUE,
    Device,
    Stream,
    color_of,
    frame,
    has_viewers,
    is_live,
    mark_of,
    new_device,
    sending,
    size_of,
    viewers,
    watching,
)
from tests.support.product import Api, RunningProduct, eventually


async def answer_of(http: aiohttp.ClientSession, url: str, method: str = "GET") -> tuple[int, str | None]:
    """Status and problem code."""
    async with http.request(method, url) as answer:
        told = "json" in answer.content_type and method != "HEAD"
        body: dict[str, Any] = await answer.json(content_type=None) if told else {}
        return answer.status, body.get("code")


async def test_every_frame_is_a_part_and_complete_before_the_next_one_comes(
    http: aiohttp.ClientSession, door: Device
) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with watching(http, door) as stream:
            assert stream.answer.headers["Cache-Control"] == "no-store, no-transform"
            assert stream.answer.headers["Access-Control-Allow-Origin"] == "*"
            for number in range(3):
                # The part is read up to the boundary after it although the camera sends nothing meanwhile.
                part = await asyncio.wait_for(stream.part(), 5)
                assert part.data == frame(str(number))
                assert list(part.headers) == ["Content-Type", "Content-Length", "X-Timestamp"]
                assert part.headers["Content-Type"] == "image/jpeg"
                assert abs(float(part.headers["X-Timestamp"]) - time.time()) < 5
                await camera.send(frame(str(number + 1)))


async def test_the_last_frame_before_a_pause_comes_twice(http: aiohttp.ClientSession, door: Device) -> None:
    """Chrome draws a part when it reads the headers of the next one."""
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with watching(http, door) as stream:
            for number in range(5):
                if number:
                    await camera.send(frame(str(number)))
                assert mark_of((await stream.any_part()).data) == str(number)
            began = time.monotonic()
            first = await asyncio.wait_for(stream.any_part(), 30)
            assert time.monotonic() - began > 0.1
            assert mark_of(first.data) == "4"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.any_part(), 0.6)  # twice will do


async def test_without_a_camera_it_is_not_there(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    url = door.body["mjpegUrl"]
    began = time.monotonic()
    assert await answer_of(http, url) == (404, "no_camera")
    assert await answer_of(http, url, "HEAD") == (404, None)
    assert time.monotonic() - began < 2  # no viewer waits for a frame
    assert await answer_of(http, url.replace(door.app, "nothere")) == (404, "no_such_page")
    assert await answer_of(http, url.replace(door.app, "%00")) == (404, "no_such_page")


async def test_who_only_asks_for_the_head_gets_it(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        for url in (door.body["mjpegUrl"], door.body["frameUrl"]):
            async with http.head(url) as answer:
                assert answer.status == 200
                assert answer.content_type in {"multipart/x-mixed-replace", "image/jpeg"}
        await has_viewers(http, door, 0)


async def test_viewers_stay_while_the_camera_is_away_and_end_when_it_stays_away(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraResume": "2s"}})
    async with sending(http, door) as camera:
        await camera.send(frame("before"))
        stays = watching(http, door)
        stream = await stays.__aenter__()
        await stream.until("before")
    await is_live(managed_api, door, False)
    assert await answer_of(http, door.body["mjpegUrl"]) == (404, "no_camera")  # for those who come now
    async with sending(http, door) as camera:
        await camera.send(frame("after"))
        assert await asyncio.wait_for(stream.until("after"), 5) == ["after"]
    gone = time.monotonic()
    await asyncio.wait_for(stream.ends(), 25)  # an app's own is half a minute
    assert time.monotonic() - gone > 1.5
    await stays.__aexit__(None, None, None)
    assert await viewers(http, door) == 0


async def test_a_placeholder_is_shown_while_the_camera_is_away_if_the_app_has_it_set(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraSlate": True, "cameraResume": "2s"}})
    nothing = door.body["mjpegUrl"].replace("-door", "-other")
    assert await answer_of(http, nothing) == (404, "no_camera")  # a room without any camera has no placeholder
    async with watching(http, door) as stream:
        assert (await stream.part()).data == placeholder().data
        async with sending(http, door) as camera:
            await camera.send(frame("there"))
            assert await stream.until("there") == ["there"]
        assert (await asyncio.wait_for(stream.part(), 25)).data == placeholder().data
        await asyncio.wait_for(stream.ends(), 25)
    async with watching(http, door, "?width=160") as stream:
        assert size_of((await stream.part()).data)[0] == 160
        gone = time.monotonic()
        await asyncio.wait_for(stream.ends(), 25)
        assert time.monotonic() - gone > 1.5


async def test_no_more_frames_than_were_asked_for(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))

        async def film() -> None:
            number = 0
            while True:
                number += 1
                await camera.send(frame(str(number)))
                await asyncio.sleep(0.04)

        filming = asyncio.create_task(film())
        async with watching(http, door, "?fps=5") as stream:
            arrivals: list[float] = []
            seen: list[int] = []
            for _ in range(8):
                seen.append(int(mark_of((await stream.part()).data)))
                arrivals.append(time.monotonic())
        filming.cancel()
        assert arrivals[-1] - arrivals[0] > 7 / 5 - 0.1
        steps = [later - earlier for earlier, later in pairwise(seen)]
        assert min(steps) >= 2  # newer ones each time, not a queue of old ones


async def test_the_last_frame_is_shown_at_any_rate(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with watching(http, door, "?fps=2") as stream:
            await stream.until("0")
            await camera.send(frame("1"), frame("2"), frame("last"))
            assert (await asyncio.wait_for(stream.until("last"), 30))[-1] == "last"


@pytest.mark.parametrize("query", ["", "?fps=5", "?width=32", "?fps=1&width=32"])
async def test_who_leaves_is_not_counted_any_more(http: aiohttp.ClientSession, door: Device, query: str) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))

        async def film() -> None:
            while True:
                await camera.send(frame("x"))
                await asyncio.sleep(0.04)

        filming = asyncio.create_task(film())
        async with watching(http, door, query) as stream, watching(http, door, query):
            await stream.part()
            await has_viewers(http, door, 2)
        await has_viewers(http, door, 0)
        filming.cancel()


async def test_a_frame_is_made_narrower_once_for_all_who_want_it(
    here: Here, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = await here.door()
    made: list[int] = []
    shrink = scaling.shrink

    def counted(data: bytes, size: object, width: int) -> object:
        made.append(width)
        return shrink(data, size, width)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(scaling, "shrink", counted)
    async with sending(http, door) as camera:
        await camera.send(frame("0", BLUE, 640, 480))
        contexts = [watching(http, door, f"?width={width}") for width in (320, 320, 320, 320, 100)]
        streams = [await context.__aenter__() for context in contexts]
        for number in range(3):
            if number:
                await camera.send(frame(str(number), BLUE, 640, 480))
            for stream, width in zip(streams, (320, 320, 320, 320, 100), strict=True):
                shown = (await asyncio.wait_for(stream.part(), 5)).data
                assert size_of(shown) == (width, width * 3 // 4)
                assert all(abs(a - b) < 8 for a, b in zip(color_of(shown), BLUE, strict=True))
        assert sorted(made) == [100] * 3 + [320] * 3
        for context in contexts:
            await context.__aexit__(None, None, None)
        await has_viewers(http, door, 0)
        await camera.send(frame("nobody", BLUE, 640, 480))
        async with watching(http, door) as stream:
            assert await stream.until("nobody") == ["nobody"]
        assert len(made) == 6  # no viewer wants a size, so none is made


async def test_a_narrow_picture_is_not_made_wider(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with watching(http, door, "?width=1920") as stream:
            assert (await stream.part()).data == frame("0")


async def test_a_picture_that_cannot_be_decoded_does_not_delay_the_next_one(
    http: aiohttp.ClientSession, door: Device
) -> None:
    good = frame("0", BLUE, 320, 240)
    broken = good[:-30] + bytes(28) + b"\xff\xd9"
    async with sending(http, door) as camera:
        await camera.send(good)
        async with watching(http, door, "?width=160") as stream:
            await stream.part()
            await camera.send(broken.replace(b"\x08\x00\xf0\x01\x40", b"\x0c\x00\xf0\x01\x40"))  # twelve bits a sample
            await camera.send(frame("1", BLUE, 320, 240))
            assert size_of((await asyncio.wait_for(stream.part(), 5)).data) == (160, 120)


async def test_a_camera_that_came_back_is_not_seen_as_it_was(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    """Also by those who want another size, who are kept waiting by a viewer that stayed."""
    async with sending(http, door) as camera:
        await camera.send(frame("before", width=320, height=240))
        stays = watching(http, door, "?width=160")
        stream = await stays.__aenter__()
        await stream.part()
    await is_live(managed_api, door, False)
    async with sending(http, door) as camera:
        await is_live(managed_api, door, True)
        for query in ("?wait=0.2", "?wait=0.2&width=160"):
            assert await answer_of(http, door.body["frameUrl"] + query) == (404, "no_frame")
        await camera.send(frame("after", width=320, height=240))
        assert size_of((await asyncio.wait_for(stream.part(), 5)).data) == (160, 120)
    await stays.__aexit__(None, None, None)


@pytest.mark.parametrize(
    "query",
    ["fps=0", "fps=-1", "fps=121", "fps=x", "fps=nan", "fps=inf", "fps=", "width=0", "width=15", "width=1921",
     "width=1e400", "width=x", "width="],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["mjpegUrl", "frameUrl"])
async def test_what_is_no_rate_and_no_width(http: aiohttp.ClientSession, door: Device, query: str, kind: str) -> None:
    if kind == "frameUrl" and query.startswith("fps"):
        query = query.replace("fps", "wait") if query not in {"fps=0", "fps=121"} else "maxAge=-1"
        query = query.replace("wait=121", "wait=31")
    assert await answer_of(http, f"{door.body[kind]}?{query}") == (422, "validation_failed")


async def test_a_room_is_looked_at_in_so_many_sizes(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0", width=320, height=240))
        contexts = [watching(http, door, f"?width={width}") for width in range(100, 108)]
        for context in contexts:
            await context.__aenter__()
        async with http.get(door.body["mjpegUrl"] + "?width=99") as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (429, "too_many_sizes")
            assert int(answer.headers["Retry-After"]) > 0
        for query in ("?width=100", ""):
            async with watching(http, door, query) as stream:
                await stream.part()
        for context in contexts:
            await context.__aexit__(None, None, None)

        async def free() -> bool:
            return (await answer_of(http, door.body["frameUrl"] + "?width=99"))[0] == 200

        await eventually(free)


async def test_a_room_has_so_many_viewers_of_all_kinds(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraMaxViewers": 2}})
    other = await new_device(managed_api, door.app, "other")
    async with sending(http, door) as camera, sending(http, other) as second:
        await camera.send(frame("0"))
        await second.send(frame("0"))
        async with watching(http, door) as stream, http.ws_connect(door.body["viewerWsUrl"]):
            await stream.part()
            assert await viewers(http, door) == 2
            assert (await managed_api("GET", door.path))["data"]["viewers"] == 2
            async with http.get(door.body["mjpegUrl"]) as answer:
                body = await answer.json(content_type=None)
                assert (answer.status, body["code"], body["limit"]) == (429, "too_many_viewers", 2)
                assert int(answer.headers["Retry-After"]) > 0
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await http.ws_connect(door.body["viewerWsUrl"])
            assert refusal.value.status == 429
            async with watching(http, other) as elsewhere:
                await elsewhere.part()
        await has_viewers(http, door, 0)
        async with watching(http, door) as stream:
            await stream.part()


async def test_who_goes_away_at_once_gives_the_place_back(
    managed_product: RunningProduct, http: aiohttp.ClientSession, door: Device
) -> None:
    request = f"GET {door.body['mjpegUrl'].removeprefix(managed_product.url)}?width=32 HTTP/1.1\r\nHost: x\r\n\r\n"

    async def hit_and_run(_: int) -> None:
        _reader, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
        writer.write(request.encode())
        await writer.drain()
        writer.transport.abort()

    async with sending(http, door) as camera:
        await camera.send(frame("0", width=320, height=240))
        for _ in range(4):
            await asyncio.gather(*map(hit_and_run, range(50)))
        await has_viewers(http, door, 0)


async def test_two_cameras_that_fight_for_a_room_are_never_mixed(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    """Each time one takes over, it sends a run of frames with a number of its own: no run may come back."""
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraConflict": "takeover", "cameraMaxFps": 120}})
    second = await new_device(managed_api, door.app)
    runs = 0

    async def fight(device: Device) -> None:
        nonlocal runs
        for _ in range(12):
            async with sending(http, device) as camera:
                runs += 1
                run = runs
                replaced = asyncio.create_task(camera.closed())
                for number in range(100):
                    if replaced.done():
                        assert replaced.result() == 4409
                        break
                    with suppress(aiohttp.ClientConnectionError):
                        await camera.send(frame(f"{run}:{number}"))
                    await asyncio.sleep(0.002)
                replaced.cancel()

    seen: list[tuple[int, int]] = []

    async def look(stream: Stream) -> None:
        while True:
            run, number = mark_of((await stream.part()).data).split(":")
            seen.append((int(run), int(number)))

    async with sending(http, door) as camera:
        await camera.send(frame("0:0"))
        async with watching(http, door) as stream:
            looking = asyncio.create_task(look(stream))
            await asyncio.gather(fight(door), fight(second))
            looking.cancel()
    assert len({run for run, _ in seen}) > 8
    ends = [run for (run, _), (later, _) in pairwise(seen) if run != later]
    assert len(ends) == len(set(ends)), "a camera that was replaced was seen again"
    for run in {run for run, _ in seen}:
        numbers = [number for other, number in seen if other == run]
        assert numbers == sorted(set(numbers))


async def test_what_may_only_be_read_is_not_written(managed_product: RunningProduct) -> None:
    status, headers, _ = await exchange(
        managed_product.url, b"POST /live/live/door/mjpeg HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    )
    assert (status, headers["content-type"]) == (405, "application/problem+json")


async def test_http_1_0_gets_parts_without_chunks(http: aiohttp.ClientSession, door: Device) -> None:
    """motion and other readers of that age take what comes for the parts themselves."""
    parts = urlsplit(str(door.body["mjpegUrl"]))
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {parts.path} HTTP/1.0\r\n\r\n".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
        assert b"connection: close" in head
        assert b"transfer-encoding" not in head
        seen: list[str] = []
        while len(seen) < 3:
            assert await asyncio.wait_for(reader.readuntil(b"\r\n"), 10) == b"--frame\r\n"
            part = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(line.split(": ")[1] for line in part.splitlines() if line.startswith("Content-Length"))
            data = await reader.readexactly(int(size))
            assert await reader.readexactly(2) == b"\r\n"
            if mark_of(data) in seen:
                continue  # sent once more, because none came after it
            seen.append(mark_of(data))
            assert data == frame(seen[-1])
            await camera.send(frame(str(len(seen))))
        assert seen == ["0", "1", "2"]
        writer.transport.abort()
