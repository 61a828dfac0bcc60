"""The HTTP part of workers' WHIP sessions, in the main process.

A worker sends its offer here, to a path of its own, and it goes on to LiveKit with the join token. So workers have no
token; a refusal's reason is known, of which FFmpeg says "Input/output error"; certificates are checked, which FFmpeg's
muxer does not; and what a dead worker leaves in a room can be removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import aiohttp

from stagedoor.streams.media.protocol import PublishTarget

_TIMEOUT_SECONDS: Final = 8.0
_MOST_HEAD_BYTES: Final = 8_192
_MOST_BODY_BYTES: Final = 65_536
_CREATED: Final = 201
_SHUTDOWN_SECONDS: Final = 0.5
"""So long after it has ended its sessions a LiveKit that stops answers no more."""


@dataclass(slots=True)
class Session:
    """One worker's session.

    Attributes:
        url: Where the worker sends its offer.
        refusal: Why LiveKit has not taken the last offer.
    """

    url: str
    target: PublishTarget
    resource: str | None = None
    refusal: str | None = None


class WhipExchange:
    """A server on the loopback interface for the offers of this node's workers."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()
        self._client: aiohttp.ClientSession | None = None
        self._sessions: dict[str, Session] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def session(self, target: PublishTarget) -> Session:
        """Make a session.

        Raises:
            OSError: There is no port.
        """
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MOST_HEAD_BYTES)
                self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        path = "/" + secrets.token_urlsafe(24)
        port = self._server.sockets[0].getsockname()[1]
        session = self._sessions[path] = Session(f"http://127.0.0.1:{port}{path}", target)
        return session

    async def alive(self, session: Session) -> bool:
        """Whether LiveKit answers: a session that it ended while it stops is not one that it removed."""
        await asyncio.sleep(_SHUTDOWN_SECONDS)
        assert self._client is not None  # noqa: S101 - made with the first session
        try:
            async with self._client.get(urljoin(session.target.whip_url, "/"), allow_redirects=False):
                return True
        except (aiohttp.ClientError, TimeoutError):
            return False

    def end(self, session: Session) -> None:
        """Forget a session; what is left of it at LiveKit is removed."""
        self._sessions.pop(session.url[session.url.rindex("/") :], None)
        if session.resource is not None:
            task = asyncio.create_task(self._leave(session), name="end whip session")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """End everything."""
        if self._leaving:
            await asyncio.wait(self._leaving)
        if self._server is not None:
            self._server.close()
        if self._client is not None:
            await self._client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_TIMEOUT_SECONDS * 1.5):
                status, headers, body = await self._answer(reader)
                lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", "Connection: close", *headers]
                writer.write("\r\n".join((*lines, "", "")).encode() + body)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, list[str], bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        session = self._sessions.get(path)
        length = int(fields.get("content-length", "0"))
        if session is None or not 0 <= length <= _MOST_BODY_BYTES:
            return 404, [], b""
        body = await reader.readexactly(length)
        if method == "DELETE":
            await self._leave(session)
            return 200, [], b""
        return await self._offer(session, body)

    async def _offer(self, session: Session, offer: bytes) -> tuple[int, list[str], bytes]:
        await self._leave(session)  # an attempt that FFmpeg gave up
        headers = {"Authorization": f"Bearer {session.target.token}", "Content-Type": "application/sdp"}
        url = session.target.whip_url
        assert self._client is not None  # noqa: S101 - made with the first session
        try:
            async with self._client.post(url, data=offer, headers=headers, allow_redirects=False) as response:
                answer = await response.content.read(_MOST_BODY_BYTES)
                location = response.headers.get("Location", "")
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            session.refusal = f"LiveKit cannot be reached at {url}: {error or 'no answer'}."
            return 502, [], b""
        if status != _CREATED:
            text = answer.decode("utf-8", "replace").strip()[:200]
            session.refusal = f"LiveKit refused the stream with status {status}: {text}"
            return 502, [], b""
        session.refusal, session.resource = None, urljoin(url, location)
        return 201, ["Content-Type: application/sdp", f"Location: {session.url}"], answer

    async def _leave(self, session: Session) -> None:
        resource, session.resource = session.resource, None
        if resource is None or self._client is None:
            return
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await self._client.delete(resource, headers={"Authorization": f"Bearer {session.target.token}"})
