"""What an encoder pushes by RTMP is watched by HLS, with the rules of RFC 8216bis."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.outputs.hls.product import Viewer, link, made_room, pushing
from tests.streams.media.test_segmenter import decoded, pictures
from tests.support.api_tenant import fresh
from tests.support.gst_rtsp import H264, rtsp_server
from tests.support.hls_rules import check_update
from tests.support.product import Api, RunningProduct, eventually
from tests.support.rtmp_pushing import ffmpeg
from tests.support.segmenting import demuxed

pytestmark = pytest.mark.anyio


async def test_a_room_is_watched_by_its_link_alone(hls_api: Api, http: aiohttp.ClientSession) -> None:
    room, ingress = await made_room(hls_api)
    url = await link(hls_api, room)
    async with pushing(ingress):
        viewer = Viewer(http, url)
        text = await viewer.begin()
        assert 'CODECS="avc1.' in text
        assert "mp4a.40.2" in text
        assert "RESOLUTION=320x240,FRAME-RATE=25.000" in text
        first = await viewer.playlist()
        assert b"token" not in (await viewer.get(viewer.video))[0], "the token would split caches"
        for _ in range(3):  # blocking reloads bring what was asked for, and no later than that
            opened = first.open
            after = await viewer.playlist(msn=opened.number, part=len(opened.parts))
            assert (after.open.number, len(after.open.parts)) > (opened.number, len(opened.parts))
            check_update(first, after)
            first = after
        whole = await viewer.playlist(msn=first.open.number + 1)
        assert whole.segments[-1].number == first.open.number + 1
        pictures = decoded(await viewer.file(whole))
        assert len(pictures) == sum(round(segment.duration * 25) for segment in whole.segments)
        assert len(set(pictures)) == len(pictures), "a picture comes twice"
        # A hinted part is answered when it is there, and is in the playlist then.
        hint = whole.hints[0]["URI"]
        media, _ = await viewer.get(hint)
        assert hint in {part.uri for part in (await viewer.playlist()).parts}
        assert media[4:8] == b"moof"
        for wrong in (
            {"msn": whole.open.number + 5},
            {"part": 1},
            {"msn": "x"},
            {"msn": whole.open.number, "part": 99},
        ):
            query = {f"_HLS_{name}": str(value) for name, value in wrong.items()}
            body, headers = await viewer.get(viewer.video.update_query(query), 400)
            assert b'"code"' in body
            assert headers["Access-Control-Allow-Origin"] == "*"


async def test_headers_let_caches_and_pages_of_any_origin_work(hls_api: Api, http: aiohttp.ClientSession) -> None:
    room, ingress = await made_room(hls_api)
    async with pushing(ingress):
        viewer = Viewer(http, await link(hls_api, room))
        await viewer.begin()
        playlist = await viewer.playlist()
        async with http.get(viewer.video, auto_decompress=False, headers={"Accept-Encoding": "gzip"}) as answer:
            assert gzip.decompress(await answer.read()).startswith(b"#EXTM3U")
            assert answer.headers["Content-Type"].startswith("application/vnd.apple.mpegurl")
            assert answer.headers["Cache-Control"] == "private, max-age=1"
            assert answer.headers["Vary"] == "Accept-Encoding"
        uri = playlist.segments[-1].uri
        media, headers = await viewer.get(uri)
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Content-Type"] == "video/mp4"
        for asked, begin, end in (
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, len(media)),
            ("bytes=-7", len(media) - 7, len(media)),
        ):
            part, headers = await viewer.get(uri, 206, Range=asked)
            assert part == media[begin:end]
            assert headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(media)}"
        _, headers = await viewer.get(uri, 416, Range=f"bytes={len(media)}-")
        assert headers["Content-Range"] == f"bytes */{len(media)}"
        assert headers["Access-Control-Allow-Origin"] == "*"
        async with http.head(viewer.video.join(URL(uri))) as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) == len(media)
        async with http.options(viewer.video) as answer:
            assert answer.status == 204
            assert "Range" in answer.headers["Access-Control-Allow-Headers"]


async def test_nothing_outside_of_the_rooms_window_can_be_reached(
    hls_api: Api, hls_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    room, ingress = await made_room(hls_api)
    other, other_ingress = await made_room(hls_api)
    async with pushing(ingress), pushing(other_ingress):
        viewer, stranger = Viewer(http, await link(hls_api, room)), Viewer(http, await link(hls_api, other))
        await viewer.begin()
        await stranger.begin()
        segment = (await viewer.playlist()).segments[-1]
        base = f"{hls_product.url}/hls/live"
        _, secret, name = segment.uri.split("/")
        await viewer.get(segment.uri)
        for path in (
            f"/{other}/m/{secret}/{name}",  # of another room
            f"/{room}/m/{'A' * len(secret)}/{name}",
            f"/{room}/m/{secret}/{segment.number + 1}.mp4",  # the next one, by the secret of this one
            f"/{room}/m/{secret}/init.mp4",
            f"/{room}/m/{secret}/..%2f..%2f{other}%2fvideo.m3u8",
            f"/{room}/m/..%2f..%2f..%2fetc/passwd",
            f"/{room}/m/%2e%2e/{name}",
            f"/{room}/{name}",
            f"/{room}/m/{secret}/",
        ):
            await viewer.get(URL(base + path, encoded=True), 404)
        # Playlists want the room's own token.
        for refused in (f"{base}/{room}/index.m3u8", f"{base}/{room}/video.m3u8?token=x", f"{base}/{room}/video.m3u8"):
            await viewer.get(URL(refused), 404)
        await viewer.get(stranger.url.with_path(viewer.url.path), 404)
        await viewer.get(stranger.video.with_path(viewer.video.path), 404)
        key = {"Authorization": f"Bearer {hls_product.api_key}"}
        await viewer.get(URL(f"{base}/{room}/video.m3u8"), 200, **key)


async def test_a_room_without_a_source_is_404_until_one_comes(hls_api: Api, http: aiohttp.ClientSession) -> None:
    room, _ = await made_room(hls_api)
    async with http.get(await link(hls_api, room)) as answer:
        assert answer.status == 404
        assert answer.headers["Retry-After"] == "2"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await answer.json())["code"] == "no_source"


async def test_viewers_are_on_the_bill(hls_api: Api, http: aiohttp.ClientSession) -> None:
    room, ingress = await made_room(hls_api)
    async with pushing(ingress):
        viewer = Viewer(http, await link(hls_api, room))
        await viewer.begin()
        known = (await hls_api("GET", "/usage?group=app&bucket=all&app=live"))["data"]
        before = known[0]["usage"]["viewerMinutes"] if known else 0.0

        async def billed() -> bool:
            await viewer.playlist()
            used = (await hls_api("GET", "/usage?group=app&bucket=all&app=live"))["data"]
            return bool(used) and used[0]["usage"]["viewerMinutes"] > before

        await eventually(billed)


@pytest.mark.parametrize("how", ["restarted", "resized"])
async def test_a_player_goes_on_when_the_source_comes_back(hls_api: Api, http: aiohttp.ClientSession, how: str) -> None:
    room, ingress = await made_room(hls_api)
    viewer = Viewer(http, await link(hls_api, room))
    async with pushing(ingress):
        await viewer.begin()
        before = await viewer.playlist()
    options = ("-bf", "0", "-s", "160x120") if how == "resized" else ()
    async with pushing(ingress, *options):
        now = before
        while now.open.discontinuity == before.open.discontinuity:
            after = await viewer.playlist(msn=now.open.number, part=len(now.open.parts))
            check_update(now, after)
            now = after
        ended = await viewer.playlist(msn=now.open.number + 1)
        check_update(now, ended)
        maps = [segment.map for segment in ended.segments]
        assert maps[0] != maps[-1]
        media, _ = await viewer.get(maps[-1] or "")
        segment, _ = await viewer.get(ended.segments[-1].uri)
        assert decoded(media + segment)


async def test_numbers_never_go_back_over_a_restart(
    hls_product: RunningProduct, hls_api: Api, http: aiohttp.ClientSession
) -> None:
    room, ingress = await made_room(hls_api)
    viewer = Viewer(http, await link(hls_api, room))
    async with pushing(ingress):
        await viewer.begin()
        before = await viewer.playlist()
    hls_product.kill()
    hls_product.start()
    async with pushing(ingress):
        await Viewer(http, str(viewer.url)).begin()
        after = await viewer.playlist()  # the same player, the same address
        check_update(before, after)
        assert after.first > before.open.number
        assert after.discontinuity > before.open.discontinuity


async def test_ffmpeg_plays_every_picture_once(hls_api: Api, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    room, ingress = await made_room(hls_api)
    url = await link(hls_api, room)
    async with pushing(ingress):
        await Viewer(http, url).begin()
        sums = tmp_path / "sums"
        process = await asyncio.create_subprocess_exec(
            *("ffmpeg", "-v", "error", "-i", url, "-t", "4", "-f", "framemd5", "-map", "0:v", str(sums)),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        found = [line.split(",")[-1] for line in sums.read_text().splitlines() if line[0] != "#"]
        assert len(found) == 100
        assert len(set(found)) == 100


async def test_gstreamer_plays_it(hls_api: Api, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    room, ingress = await made_room(hls_api)
    url = await link(hls_api, room)
    async with pushing(ingress):
        await Viewer(http, url).begin()
        file = tmp_path / "pictures"
        process = await asyncio.create_subprocess_exec(
            *("gst-launch-1.0", "-q", "souphttpsrc", f"location={url}", "!", "hlsdemux", "!", "qtdemux", "!"),
            *("h264parse", "!", "avdec_h264", "!", "filesink", f"location={file}"),
            stdin=subprocess.DEVNULL,
        )
        try:

            async def hundred() -> bool:
                return file.exists() and file.stat().st_size >= 100 * 320 * 240 * 3 // 2

            await eventually(hundred, 60)
        finally:
            process.kill()
            await process.wait()


async def test_the_video_is_bit_by_bit_that_of_the_source(
    hls_api: Api, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "source.flv"
    command = [word for word in ffmpeg(str(file), 60, "-bf", "2") if word != "-re"]
    encoding = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    assert await encoding.wait() == 0
    sent = [pictures(data) for _, _, data in demuxed(file.read_bytes(), "video")]
    room, ingress = await made_room(hls_api)
    url = f"{ingress['url']}/{ingress['streamKey']}"
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-v", "error", "-re", "-i", str(file), "-c", "copy", "-f", "flv", url), stdin=subprocess.DEVNULL
    )
    try:
        viewer = Viewer(http, await link(hls_api, room))
        await viewer.begin()
        playlist = await viewer.playlist()
        playlist = await viewer.playlist(msn=playlist.open.number + 1)
        got = [pictures(data) for _, _, data in demuxed(await viewer.file(playlist), "video")]
    finally:
        process.kill()
        await process.wait()
    assert len(got) >= 75
    assert got == sent[sent.index(got[0]) :][: len(got)]


async def test_a_pull_on_demand_begins_for_a_viewer_of_hls(hls_api: Api, http: aiohttp.ClientSession) -> None:
    room = fresh("hls")
    async with rtsp_server(H264) as camera:
        body = {"inputType": "url", "room": room, "url": camera.url, "start": "demand"}
        made = (await hls_api("POST", "/apps/live/ingress", body))["data"]
        viewer = Viewer(http, await link(hls_api, room))
        text = await viewer.begin()
        assert 'CODECS="avc1.' in text
        await viewer.playlist()
        state = (await hls_api("GET", f"/apps/live/ingress/{made['ingressId']}"))["data"]["state"]
        assert state["status"] == "publishing"
