"""The running Stagedoor, asked over HTTP with the operator's secret from its data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiohttp
import msgspec

from stagedoor.api.prefix import PREFIX

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)


class Address(msgspec.Struct, frozen=True):
    """Where the running instance is, and the secret that it takes from its operator."""

    url: str
    secret: str


def read_address(operator_file: Path) -> Address | None:
    """What the running instance left for its operator; None when nothing can be read."""
    try:
        return msgspec.json.decode(operator_file.read_bytes(), type=Address)
    except (OSError, msgspec.MsgspecError):
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer; status 0 when there was none, with the reason as the body."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """The decoded body; empty when it is not a JSON object."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return {}


class Instance:
    """A client of the running instance, to be used as an asynchronous context manager."""

    def __init__(self, address: Address, metrics_token: str | None) -> None:
        self.url = address.url
        self._metrics_token = metrics_token
        headers = {"Authorization": f"Bearer {address.secret}"}
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers)

    async def __aenter__(self) -> Instance:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, target: str, query: dict[str, str] | None = None) -> Answer:
        """`GET /api/v1/<target>`."""
        return await self._get(f"{PREFIX}/{target}", query, None)

    async def ready(self) -> Answer:
        """`GET /ready`: 200, or 503 with reasons."""
        return await self._get("/ready", None, None)

    async def metrics(self) -> Answer:
        """`GET /metrics`."""
        token = self._metrics_token
        return await self._get("/metrics", None, {"Authorization": f"Bearer {token}"} if token else None)

    async def _get(self, path: str, query: dict[str, str] | None, headers: dict[str, str] | None) -> Answer:
        try:
            async with self._session.get(self.url + path, params=query, headers=headers) as answer:
                return Answer(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(0, (str(error) or type(error).__name__).encode())
