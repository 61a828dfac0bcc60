"""Two instances: refused on one data folder, welcome on two."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from tests.support.ports import free_ports
from tests.support.rooms_callers import calling, session_with, sessions_of
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow


async def test_a_second_one_on_the_same_data_folder_is_refused(start: Start, rest: Rest) -> None:
    product = start()
    (port,) = free_ports(1)
    second = await asyncio.to_thread(
        subprocess.run,
        product.command("up", "--json", "--http", f"127.0.0.1:{port}"),
        env=product.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (second.returncode, second.stdout) == (1, "")
    said = " ".join(second.stderr.split())
    assert "Another Stagedoor runs on the data folder" in said
    assert "Traceback" not in said
    assert (await rest(product).raw("GET", "/ready"))[0] == 200, "the first one does not care"


async def test_two_with_their_own_folders_work_side_by_side(start: Start, rest: Rest) -> None:
    one, other = rest(start()), rest(start())
    async with calling(one, "demo", "ann", publish=False), calling(other, "demo", "bob", publish=False):
        (ann,) = (await session_with(one, "demo", 1))["participants"]
        (bob,) = (await session_with(other, "demo", 1))["participants"]
        assert (ann["identity"], bob["identity"]) == ("ann", "bob")
        assert len(await sessions_of(one, "demo")) == len(await sessions_of(other, "demo")) == 1
