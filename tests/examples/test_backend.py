"""The examples as they stand: a person opens the backend's page, talks, leaves, and is billed."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.support.api_participant import joined
from tests.support.api_tenant import new_key
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, clean_environment, eventually, running

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples" / "backend"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("backend"), STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS="true") as started:
        yield started


class Backend:
    """The example's process, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[list[str]] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().split(" ", 2))

    def about(self, what: str, session: str) -> list[str]:
        return [line[2].strip() for line in self.lines if line[:2] == [what, session]]


@asynccontextmanager
async def backend(product: RunningProduct, key: str, port: int, *command: str) -> AsyncGenerator[Backend]:
    environment = clean_environment() | {"STAGEDOOR_URL": product.url, "STAGEDOOR_KEY": key, "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=EXAMPLES, stdout=asyncio.subprocess.PIPE
    )
    running_backend = Backend(process)
    reading = asyncio.create_task(running_backend.read())
    try:
        yield running_backend
    finally:
        process.kill()
        await process.wait()
        await reading


def node() -> str:
    """Node, or the one that the pages are built with where none is installed."""
    own = Path(__file__).parents[2] / ".make" / "node" / "bin" / "node"
    found = str(own) if own.exists() else shutil.which("node")
    assert found is not None, "there is no Node.js; run `make pages`"
    return found


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_backend_makes_a_call_and_gets_the_bill_and_the_words(
    product: RunningProduct, http: aiohttp.ClientSession, language: str
) -> None:
    api = Api(http, product.url, product.api_key)
    key = await new_key(api, "sessions:write", "webhooks:write", "transcripts:read", app="live")
    command = (sys.executable, "backend.py") if language == "python" else (node(), "backend.mjs")
    (port,) = free_ports(1)
    async with backend(product, key, port, *command) as made:

        async def ready() -> bool:
            return any(line[0] == "open" for line in made.lines)

        await eventually(ready)
        page = f"http://127.0.0.1:{port}/"
        async with http.get(page, allow_redirects=False) as answer:
            assert answer.status == 303
            there = answer.headers["Location"]
        async with http.get(there) as answer:
            assert answer.status == 200
        token = parse_qs(urlsplit(there).query)["token"][0]
        session = urlsplit(there).path.rpartition("live-")[2]

        async with http.post(f"{page}hooks", data=b"{}", headers={"webhook-id": "x"}) as answer:
            assert answer.status == 401

        async with joined({"wsUrl": product.ready["livekit"]["url"], "token": token}) as guest:

            async def listening() -> bool:
                status, found, _ = await api.raw("GET", f"/sessions/{session}/transcript")
                return status == 200 and found["data"]["startedAt"] is not None

            await eventually(listening)
            await guest.me.send_text("hello there", topic="lk.chat")

            async def written() -> bool:
                return bool((await api("GET", f"/sessions/{session}/transcript"))["data"]["segments"])

            await eventually(written)

        async def notified() -> bool:
            return bool(made.about("bill", session) and made.about("transcript", session))

        await eventually(notified, 30)
        assert float(made.about("bill", session)[0]) > 0
        assert json.loads(made.about("transcript", session)[0]).endswith(": hello there\n")


def test_they_are_as_short_as_they_say() -> None:
    for name in ("backend.py", "backend.mjs"):
        assert len((EXAMPLES / name).read_text().splitlines()) <= 60
