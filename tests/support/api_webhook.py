"""LiveKit's webhooks, signed as LiveKit signs them, by LiveKit's own library."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

import aiohttp
from livekit import api as livekit

from tests.support.product import RunningProduct


def signed(key: str, secret: str, body: bytes, ttl: timedelta = timedelta(minutes=5)) -> str:
    """LiveKit's `Authorization` for the body."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return livekit.AccessToken(key, secret).with_ttl(ttl).with_sha256(digest).to_jwt()


def event_id() -> str:
    """An id as LiveKit gives events."""
    return f"EV_{secrets.token_hex(8)}"


def room_event(name: str, room: str, **fields: Any) -> dict[str, Any]:
    """A body of LiveKit's about a room."""
    return {
        "event": name,
        "id": event_id(),
        "createdAt": "1767225600",
        "room": {"sid": f"RM_{secrets.token_hex(6)}", "name": room, "creationTimeMs": "1767225600123"},
        **fields,
    }


class Sender:
    """Sends webhooks to a running product with its LiveKit's key."""

    def __init__(self, http: aiohttp.ClientSession, product: RunningProduct) -> None:
        self._http = http
        self.url = product.url
        self.key, self.secret = product.livekit_keys

    async def __call__(self, body: bytes | dict[str, Any], path: str = "/webhooks/livekit") -> int:
        """The status of the answer to a rightly signed body."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (await self.raw(raw, path, Authorization=signed(self.key, self.secret, raw)))[0]

    async def raw(self, body: Any, path: str = "/webhooks/livekit", **headers: str) -> tuple[int, Any]:
        """Status and problem code of the answer; headers are written with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Content-Type", "application/webhook+json")
        async with self._http.post(self.url + path, data=body, headers=given) as answer:
            content = await answer.read()
            return answer.status, json.loads(content)["code"] if content else None
