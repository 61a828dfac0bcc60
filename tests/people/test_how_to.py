"""The commands of docs/how-to/people.md, as they stand there and in their order."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.api_participant import joined
from tests.support.product import Api, RunningProduct, running

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "people.md"
LINK = "https://stagedoor.example.com/invitation#inv_…"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("people")) as made:
        yield made


class Reader:
    """A person who pastes one block after the other into a terminal.

    Attributes:
        learnt: What the page leaves open, and what an answer has put in its place.
    """

    def __init__(self, product: RunningProduct) -> None:
        self._product = product
        self._blocks = iter(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.S))
        self.learnt: dict[str, str] = {}

    async def run(self, command: str) -> str:
        """What the command prints; it succeeds."""
        given = self._product.environment() | {
            "STAGEDOOR": self._product.url,
            "STAGEDOOR_DATA_DIR": str(self._product.data_dir),
        }
        process = await asyncio.create_subprocess_exec(
            "sh", "-eu", "-c", command,
            cwd=self._product.folder, env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, (command, out.decode(), err.decode())
        return out.decode()

    async def paste(self, begins: str) -> str:
        """What the next block prints, which begins so."""
        block = next(self._blocks)
        assert block.startswith(begins), block
        for gap, value in self.learnt.items():
            block = block.replace(gap, value)
        assert "…" not in block, block
        return await self.run(block)

    def nothing_left(self) -> bool:
        return next(self._blocks, None) is None


def answers(printed: str) -> list[Any]:
    """The JSON documents that were printed one after the other."""
    decoder, found, rest = json.JSONDecoder(), list[Any](), printed.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        found.append(answer)
        rest = rest[end:].strip()
    return found


def row(printed: str, of: str) -> str:
    """The last line of the tables that has this in it."""
    return [line for line in printed.splitlines() if of in line][-1]


async def test_the_page_as_it_is_pasted(product: RunningProduct, http: aiohttp.ClientSession) -> None:
    api, reader = Api(http, product.url, product.api_key), Reader(product)
    room = "/apps/live/rooms/board"

    assert "/welcome#lnk_" in await reader.paste("stagedoor users create owner@")
    reader.learnt[LINK] = (await reader.paste("stagedoor members invite --role")).strip()
    (signed_up,) = answers(await reader.paste("LINK="))
    grace = reader.learnt["usr_…"] = signed_up["data"]["user"]["id"]
    await reader.run("stagedoor members invite")
    reader.learnt["inv_…"] = (await api("GET", "/organisations/default/invitations"))["data"][0]["id"]
    await reader.paste("stagedoor members invitations")
    assert (await api("GET", "/organisations/default/invitations"))["data"] == []
    assert "/welcome#lnk_" in await reader.paste("stagedoor users create ada@")
    assert "/welcome#lnk_" in await reader.run("stagedoor users reset-password ada@example.com")

    _, me = answers(await reader.paste("curl"))
    assert (me["data"]["id"], me["data"]["role"], me["data"]["kind"]) == (grace, "viewer", "session")
    assert "member" in row(await reader.paste("stagedoor members list"), of=grace)
    (made,) = answers(await reader.paste("curl"))
    reader.learnt["pat_…"] = made["data"]["token"]
    (mine,) = answers(await reader.paste("TOKEN="))
    assert mine["data"] == []

    assert "invited" in await reader.paste("stagedoor rooms create board")
    assert "not_in_room" in await reader.paste("stagedoor rooms give-role board")
    (seat,) = answers(await reader.paste("curl"))
    assert (seat["data"]["role"], seat["data"]["identity"]) == ("host", grace)
    async with joined(seat["data"]) as guest:
        assert (await api("GET", f"{room}/participants/{grace}"))["data"]["permissions"]["canPublish"] is True
        assert "True" in await reader.run(f"stagedoor rooms take-role board {grace}")
        await reader.paste("stagedoor members remove")
        await asyncio.wait_for(guest.gone, 30)
    token = {"Authorization": f"Bearer {made['data']['token']}"}
    assert (await api.as_key(None).raw("GET", "/me/rooms", **token))[0] == 401
    async with joined(seat["data"]) as again:  # with the join token of before
        await asyncio.wait_for(again.gone, 30)

    assert "grace@example.com" in await reader.paste("stagedoor users disable")
    me_again = 'curl -sS -o /dev/null -w "%{http_code}" -b cookies.txt "$STAGEDOOR/api/v1/me"'
    assert await reader.run(me_again) == "401"
    await reader.run("stagedoor users enable grace@example.com")
    assert reader.nothing_left()
