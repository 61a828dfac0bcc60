"""What cameras and their viewers used, on a real product: in the session that lives, and for the app."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from stagedoor.storage import open_database
from stagedoor.usage import store as usage
from tests.support.api_participant import guest_in
from tests.support.api_tenant import new_app
from tests.support.jpegs import RED, jpeg
from tests.support.product import Api, eventually, running


async def _camera(stack: AsyncExitStack, api: Api, http: aiohttp.ClientSession, app: str) -> dict[str, Any]:
    """A camera that has sent a picture."""
    made = (await api("POST", f"/apps/{app}/ws-ingest", {"room": "door"}, expect=201))["data"]
    headers = {"Authorization": f"Bearer {made['streamKey']}"}
    socket = await stack.enter_async_context(http.ws_connect(made["wsUrl"], headers=headers))
    await socket.receive_json()
    await socket.send_bytes(jpeg(64, 48, RED))
    return made


async def _used(api: Api, app: str, group: str) -> Any:
    return (await api("GET", f"/usage?group={group}&bucket=all&app={app}"))["data"]


async def test_cameras_and_viewers_are_on_the_bill(managed_api: Api, http: aiohttp.ClientSession) -> None:
    began = time.monotonic()
    settings = {"playbackPolicy": "public", "cameraBridge": "off"}
    app, quiet = await new_app(managed_api, **settings), await new_app(managed_api, **settings)
    async with guest_in(managed_api, app, "door", "ada") as guest, AsyncExitStack() as stack:
        camera = await _camera(stack, managed_api, http, app)
        lonely = await _camera(stack, managed_api, http, quiet)
        socket = await stack.enter_async_context(http.ws_connect(camera["viewerWsUrl"]))
        assert (await socket.receive()).type is aiohttp.WSMsgType.BINARY
        stream = await stack.enter_async_context(http.get(camera["mjpegUrl"]))
        assert await stream.content.readline() == b"--frame\r\n"
        async with http.get(lonely["frameUrl"]) as first:
            known = {"If-None-Match": first.headers["ETag"]}
        waits = asyncio.create_task(http.get(lonely["frameUrl"], params={"wait": "30"}, headers=known).__aenter__())
        stack.callback(waits.cancel)

        async def watched() -> Any:
            rows = await _used(managed_api, app, "session")
            return rows and rows[0]["usage"]["viewerMinutes"] and await _used(managed_api, quiet, "app")

        (alone,) = await eventually(watched)
        await managed_api("DELETE", f"/apps/{app}/rooms/door", expect=204)
        await guest.gone

        async def ended() -> Any:
            return (await managed_api("GET", f"/apps/{app}/sessions?state=ended"))["data"]

        (session,) = await eventually(ended)
    most = (time.monotonic() - began) / 60

    (said,) = [entry["detail"] for entry in session["timeline"] if entry["type"] == "session.ended"]
    assert 0 < said["usage"]["cameraMinutes"] <= most
    assert 0 < said["usage"]["viewerMinutes"] <= 2 * said["usage"]["cameraMinutes"]
    assert session["usage"] == said["usage"]
    (of_app,) = await _used(managed_api, app, "app")
    for meter, count in (("cameraMinutes", 1), ("viewerMinutes", 2)):
        assert said["usage"][meter] <= of_app["usage"][meter] <= count * most

    assert 0 < alone["usage"]["cameraMinutes"] <= most
    assert alone["usage"]["viewerMinutes"] == 0, "who asks for one picture is no viewer"
    assert await _used(managed_api, quiet, "session") == []
    assert alone["usage"]["participantMinutes"] == pytest.approx(0)


async def test_what_runs_when_stagedoor_stops_is_on_the_bill(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with running(tmp_path) as product:
        api = Api(http, product.url, product.api_key)
        app = await new_app(api, playbackPolicy="public", cameraBridge="off")
        async with guest_in(api, app, "door", "ada"), AsyncExitStack() as stack:
            began = time.monotonic()
            camera = await _camera(stack, api, http, app)
            socket = await stack.enter_async_context(http.ws_connect(camera["viewerWsUrl"]))
            assert (await socket.receive()).type is aiohttp.WSMsgType.BINARY
            looked = time.monotonic()

            async def there() -> Any:
                found = (await api("GET", f"/apps/{app}/sessions?state=active"))["data"]
                return found and found[0]["participants"]

            await eventually(there)
            least = time.monotonic() - looked
            assert await asyncio.to_thread(product.stop) == 0
            most = time.monotonic() - began
    database = await open_database(f"sqlite:///{product.data_dir / 'stagedoor.db'}")
    try:
        (told,) = await database.read(lambda tx: tx.execute(select(usage.reported)).all())
        hours = await database.read(lambda tx: tx.execute(select(usage.app_hours)).all())
    finally:
        await database.close()
    camera_ms, viewer_ms = sum(row.camera for row in hours), sum(row.viewer for row in hours)
    # What ran while LiveKit stopped came after the session's end.
    assert 0 < told.camera < camera_ms
    assert 0 < told.viewer < viewer_ms
    for ms in (camera_ms, viewer_ms):
        assert least * 1000 - 1 <= ms <= most * 1000 + 1
