"""The process that listens, without a LiveKit."""

from __future__ import annotations

import pytest

from stagedoor.transcripts import transcriber
from stagedoor.transcripts.protocol import Attend, Gone
from stagedoor.transcripts.transcriber import Transcriber
from tests.support.ports import free_ports

pytestmark = pytest.mark.slow


async def test_it_begins_anew_after_so_many_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriber, "_ROOMS_OF_A_PROCESS", 2)
    [port] = free_ports(1)
    scribe = Transcriber()
    pids: list[int | None] = []
    try:
        for number in range(4):
            order = Attend(f"att_{number}", f"ws://127.0.0.1:{port}", "no token", False)
            async with scribe.attending(order) as reports:
                pids.append(scribe.pid)
                assert [type(report) async for report in reports] == [Gone]
    finally:
        await scribe.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
