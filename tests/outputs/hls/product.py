"""A product with RTMP, encoders that push to it, and a viewer that asks for its HLS."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from tests.support.api_tenant import fresh
from tests.support.hls_rules import Playlist, check, parse
from tests.support.product import Api
from tests.support.rtmp_pushing import ffmpeg

ENCODED = ("-bf", "0", "-tune", "zerolatency")


async def made_room(api: Api) -> tuple[str, dict[str, Any]]:
    """A room, and its ingress."""
    room = fresh("hls")
    return room, (await api("POST", "/apps/live/ingress", {"inputType": "rtmp", "room": room}))["data"]


@asynccontextmanager
async def pushing(ingress: dict[str, Any], *options: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """FFmpeg pushes until the context ends."""
    url = f"{ingress['url']}/{ingress['streamKey']}"
    process = await asyncio.create_subprocess_exec(
        *ffmpeg(url, 600, *(options or ENCODED)), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Viewer:
    """Asks for the HLS of a room as a player does.

    Args:
        url: Of the multivariant playlist.
        steady: Whether what is watched has a picture in the time of each part; a composition on a busy machine has not.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, *, steady: bool = True) -> None:
        self.http = http
        self.steady = steady
        self.url = URL(url)
        self.video = self.url

    async def get(self, uri: str | URL, status: int = 200, **headers: str) -> tuple[bytes, Any]:
        """The body and headers of what a URI of the playlist leads to."""
        address = self.video.join(URL(uri, encoded=True)) if isinstance(uri, str) else uri
        async with self.http.get(address, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == status, (answer.status, body[:500])
            return body, answer.headers

    async def begin(self) -> str:
        """Ask for the multivariant playlist until there is one."""
        while True:
            async with self.http.get(self.url) as answer:
                text = await answer.text()
                if answer.status == 200:
                    break
                assert answer.status == 404, text
                assert answer.headers["Retry-After"], text
            await asyncio.sleep(0.2)
        self.video = self.url.join(URL(text.splitlines()[-1], encoded=True))
        return text

    async def playlist(self, **directives: int | str) -> Playlist:
        """The media playlist, which holds the rules."""
        query = {f"_HLS_{name}": str(value) for name, value in directives.items()}
        body, _ = await self.get(self.video.update_query(query))
        found = parse(body.decode())
        if not found.skipped:
            check(found, steady=self.steady)
        return found

    async def file(self, playlist: Playlist) -> bytes:
        """All segments of one timeline as one file."""
        (name,) = {segment.map for segment in playlist.segments}
        assert name
        return b"".join([(await self.get(uri))[0] for uri in [name, *(one.uri for one in playlist.segments)]])


async def link(api: Api, room: str) -> str:
    """A link to the HLS of a room."""
    return (await api("POST", f"/apps/live/rooms/{room}/links", {"page": "hls"}))["data"]["url"]
