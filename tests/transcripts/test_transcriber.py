"""The transcriber's process, without a LiveKit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stagedoor.transcripts import transcriber as module
from stagedoor.transcripts.protocol import Left, Subscribe
from stagedoor.transcripts.transcriber import Transcriber
from tests.support.ports import free_ports

pytestmark = pytest.mark.slow


async def test_the_transcriber_restarts_after_so_many_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOMS_OF_A_PROCESS", 2)
    [port] = free_ports(1)
    transcriber = Transcriber()
    pids: list[int | None] = []
    try:
        for number in range(4):
            order = Subscribe(f"sub_{number}", f"ws://127.0.0.1:{port}", "no token", False)
            async with transcriber.subscribe(order) as reports:
                pids.append(transcriber.pid)
                assert [type(report) async for report in reports] == [Left]
    finally:
        await transcriber.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_its_process_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_API_SECRET", "STAGEDOOR_METRICS_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"):
        monkeypatch.setenv(name, "a-secret-that-nobody-sees")
    [port] = free_ports(1)
    transcriber = Transcriber()
    try:
        async with transcriber.subscribe(Subscribe("sub_1", f"ws://127.0.0.1:{port}", "no token", False)) as reports:
            assert [type(report) async for report in reports] == [Left]
            environment = await asyncio.to_thread(Path(f"/proc/{transcriber.pid}/environ").read_bytes)
    finally:
        await transcriber.close()
    assert b"RUST_LOG=error" in environment
    assert b"a-secret-that-nobody-sees" not in environment
