"""Stands between LiveKit and Stagedoor, and does to webhooks what a plan says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from stagedoor.kernel.clock import now_ms
from tests.system.faults.plan import Fate, Fault, Plan

_NOBODY: Final = 502
_UNTOUCHED: Final = Fate("none", 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One of LiveKit's requests."""

    body: bytes
    authorization: str
    id: str
    event: str
    room: str
    room_sid: str
    participant: str
    track: str

    @classmethod
    def read(cls, body: bytes, authorization: str) -> Webhook:
        event: dict[str, Any] = json.loads(body)

        def sid(what: str, of: str = "sid") -> str:
            return str(event.get(what, {}).get(of, ""))

        return cls(
            body,
            authorization,
            event["id"],
            event["event"],
            sid("room", "name"),
            sid("room"),
            sid("participant"),
            sid("track"),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """What Stagedoor was sent, and how it answered; `status` is 502 where it did not."""

    webhook: Webhook
    fault: Fault
    status: int
    answered_at: int

    @property
    def damaged(self) -> bool:
        return self.fault in {"flip_body", "cut_header"}


@dataclass
class _Held:
    webhook: Webhook
    after: int
    """Sent on when so many of the room's arrivals have been dealt with."""


@dataclass
class FaultyProxy:
    """A webhook receiver that passes on what the plan lets through.

    Attributes:
        target: Where Stagedoor takes webhooks.
        url: Where LiveKit sends them.
        plan: What goes wrong; nothing while it is `None`.
        deliveries: What was sent on, in the order of the answers.
        faults: How often each thing was done.
    """

    http: aiohttp.ClientSession
    target: str = ""
    url: str = ""
    plan: Plan | None = None
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    faults: Counter[Fault] = field(default_factory=Counter[Fault])
    _arrived: Counter[str] = field(default_factory=Counter[str])
    _held: list[_Held] = field(default_factory=list[_Held])
    _late: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def accepted(self) -> list[Delivery]:
        """What Stagedoor has answered for."""
        return [delivery for delivery in self.deliveries if delivery.status == 200]

    async def calm(self) -> None:
        """No further faults; and what was held back or late arrives."""
        self.plan = None
        while self._held:
            await self._pass_on(self._held.pop(0).webhook, "reorder")
        while self._late:
            await asyncio.gather(*self._late)

    async def take(self, request: web.Request) -> web.Response:
        webhook = Webhook.read(await request.read(), request.headers["Authorization"])
        ordinal = self._arrived[webhook.room]
        self._arrived[webhook.room] += 1
        fate = _UNTOUCHED if self.plan is None else self.plan.fate(webhook.room, ordinal)
        self.faults[fate.fault] += 1
        status = await self._suffer(webhook, fate, ordinal)
        await self._release(webhook.room)
        return web.Response(status=status)

    async def _suffer(self, webhook: Webhook, fate: Fate, ordinal: int) -> int:
        """Do it; LiveKit's answer."""
        match fate.fault:
            case "none":
                return await self._pass_on(webhook, fate.fault)
            case "drop":
                return 200
            case "refuse":
                return 503
            case "lose_answer":
                await self._pass_on(webhook, fate.fault)
                return 503
            case "repeat":
                status = await self._pass_on(webhook, fate.fault)
                await self._pass_on(webhook, fate.fault)
                self._later(webhook, fate)
                return status
            case "delay":
                self._later(webhook, fate)
                return 200
            case "reorder":
                self._held.append(_Held(webhook, ordinal + 1 + fate.behind))
                return 200
            case "flip_body":
                damaged = bytearray(webhook.body)
                damaged[int(fate.where * len(damaged))] ^= 1 << fate.bit
                return await self._pass_on(webhook, fate.fault, body=bytes(damaged))
            case "cut_header":
                cut = webhook.authorization[: int(fate.where * len(webhook.authorization))]
                return await self._pass_on(webhook, fate.fault, authorization=cut)

    async def _release(self, room: str) -> None:
        due = [held for held in self._held if held.webhook.room == room and held.after < self._arrived[room]]
        self._held = [held for held in self._held if held not in due]
        for held in reversed(due):
            await self._pass_on(held.webhook, "reorder")

    def _later(self, webhook: Webhook, fate: Fate) -> None:
        async def send() -> None:
            await asyncio.sleep(fate.seconds)
            await self._pass_on(webhook, fate.fault)

        task = asyncio.create_task(send(), name=f"late {webhook.event}")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _pass_on(
        self, webhook: Webhook, fault: Fault, *, body: bytes | None = None, authorization: str | None = None
    ) -> int:
        headers = {
            "Content-Type": "application/webhook+json",
            "Authorization": webhook.authorization if authorization is None else authorization,
        }
        try:
            content = webhook.body if body is None else body
            async with self.http.post(self.target, data=content, headers=headers) as answer:
                status = answer.status
        except aiohttp.ClientError:
            status = _NOBODY  # Stagedoor is dead: LiveKit gets what a load balancer would answer
        self.deliveries.append(Delivery(webhook, fault, status, now_ms()))
        return status

    async def close(self) -> None:
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)


@asynccontextmanager
async def faulty_proxy() -> AsyncGenerator[FaultyProxy]:
    """A proxy on a free port; its target is set when there is one."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        proxy = FaultyProxy(http)
        app = web.Application()
        app.router.add_post("/webhooks", proxy.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server  # pyright: ignore[reportPrivateUsage]  # aiohttp names its port nowhere else
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
        try:
            yield proxy
        finally:
            await proxy.close()
            await asyncio.shield(runner.cleanup())
