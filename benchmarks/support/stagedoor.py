"""A real Stagedoor for a benchmark: `stagedoor up` with a LiveKit that it runs."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from tests.support.product import RunningProduct

from benchmarks.support.events import ID_PREFIX
from benchmarks.support.processes import cpu_seconds, tree
from stagedoor.inbox.store import inbox
from stagedoor.storage import open_database

_QUIET: Final = {
    # The rooms of the events don't exist in LiveKit, and reconciling would close them in the middle of a run.
    "STAGEDOOR_RECONCILE_INTERVAL": "1h",
    "STAGEDOOR_LOG_LEVEL": "warning",
}
_DRAIN_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Stagedoor:
    """A running product and LiveKit's key in it."""

    product: RunningProduct
    database_url: str
    key: str
    secret: str

    @property
    def port(self) -> int:
        return self.product.http_port

    def cpu(self) -> float:
        """CPU seconds of Stagedoor and its workers, without LiveKit."""
        return cpu_seconds(tree(self.product.pid, {self.product.livekit_pid}))

    def get(self, path: str) -> Any:
        """`data` of a REST answer."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """`data` of the answer to a REST request with a body."""
        return self._ask("POST", path, json.dumps(body).encode())

    def patch(self, path: str, body: Any) -> Any:
        """`data` of the answer to a REST request that changes something."""
        return self._ask("PATCH", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(
            f"{self.product.url}/api/v1{path}",
            method=method,
            data=body,
            headers={"Authorization": f"Bearer {self.product.api_key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def wait_until_applied(self) -> float:
        """Wait until no stored event is pending; the seconds that took."""
        began = time.perf_counter()
        while self.get("/inbox?state=pending&limit=1"):
            if time.perf_counter() - began > _DRAIN_SECONDS:
                raise RuntimeError("the inbox does not become empty")
            time.sleep(_POLL_SECONDS)
        return time.perf_counter() - began

    def token_request(self) -> bytes:
        """The whole HTTP request of a join token."""
        body = b'{"room":"demo","identity":"phone-42","name":"Ada","ttl":"1h","metadata":"{}"}'
        head = (
            "POST /api/v1/apps/live/tokens HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.product.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def stagedoor(folder: Path, database_url: str | None = None, **settings: str) -> Generator[Stagedoor]:
    """A started Stagedoor on a new data folder, or on what is in `folder` already."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = _QUIET | settings
    if database_url is not None:
        environment["STAGEDOOR_DATABASE_URL"] = database_url
    product = RunningProduct(folder, "managed", **environment)
    try:
        product.start()
        secrets = json.loads((product.data_dir / "secrets.json").read_text())
        url = database_url or f"sqlite:///{product.data_dir / 'stagedoor.db'}"
        yield Stagedoor(product, url, secrets["livekit_api_key"], secrets["livekit_api_secret"])
    finally:
        product.close()


def count_stored(database_url: str) -> int:
    """How many of our events the inbox of a stopped Stagedoor holds."""

    async def look() -> int:
        database = await open_database(database_url)
        try:
            ours = select(func.count()).where(inbox.c.id.like(f"{ID_PREFIX}%"))
            return await database.read(lambda tx: tx.execute(ours).scalar_one())
        finally:
            await database.close()

    return asyncio.run(look())
