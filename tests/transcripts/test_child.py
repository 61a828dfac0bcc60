"""The transcriber's process reads streams that strangers send; each has a bound, and none is lost for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from stagedoor.transcripts import child
from stagedoor.transcripts.child import LONGEST_CHARACTERS, RoomSubscription
from stagedoor.transcripts.protocol import Report, Subscribe, TextStream


class Reader:
    """A text stream that the test writes, as LiveKit's client hands it out."""

    def __init__(self, number: int, **attributes: str) -> None:
        self.info = SimpleNamespace(stream_id=f"s{number}", attributes=attributes)
        self.chunks: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        chunk = await self.chunks.get()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        self.closed = True


class Room(RoomSubscription):
    """A room without a LiveKit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(Subscribe("sub_1", "ws://localhost", "token", True))
        self.reports: list[TextStream] = []
        monkeypatch.setattr(child, "_report", self.heard)

    def heard(self, report: Report) -> None:
        assert isinstance(report, TextStream)
        self.reports.append(report)

    def opened(self, reader: Reader, identity: str = "ada") -> Reader:
        given: Any = reader
        self._speech(given, identity)
        return reader

    async def over(self) -> None:
        await asyncio.wait(self._readers.values())


async def test_a_stream_has_so_many_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch)
    reader = room.opened(Reader(1))
    for _ in range(3):
        reader.chunks.put_nowait("x" * 40_000)
    await room.over()
    assert (len(room.reports[-1].text), room.reports[-1].state) == (LONGEST_CHARACTERS, "broken")
    assert reader.closed


async def test_the_oldest_stream_is_let_go_when_too_many_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STREAMS_AT_ONCE", 3)
    room = Room(monkeypatch)
    readers = [room.opened(Reader(number, **{"lk.segment_id": str(number)})) for number in range(3)]
    for reader in readers:
        reader.chunks.put_nowait("words ")
        reader.chunks.put_nowait("and more")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    readers.append(room.opened(Reader(3, **{"lk.segment_id": "3"})))
    for reader in readers[1:]:
        reader.chunks.put_nowait(None)
    await room.over()
    ends = {report.stream_id: (report.state, report.text) for report in room.reports}
    assert ends["s0"] == ("broken", "words and more")
    assert {ends[name] for name in ("s1", "s2")} == {("closed", "words and more")}


async def test_streams_without_an_id_are_reported_in_the_order_in_which_they_were_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room(monkeypatch)
    first, second, others = room.opened(Reader(1)), room.opened(Reader(2)), room.opened(Reader(3), "bob")
    for reader in (second, others):
        reader.chunks.put_nowait("Good morning")
        reader.chunks.put_nowait(None)
    await asyncio.sleep(0)
    first.chunks.put_nowait("Good")
    first.chunks.put_nowait(None)
    await room.over()
    ends = [report.stream_id for report in room.reports if report.state == "closed"]
    assert ends.index("s1") < ends.index("s2")
    assert ends.index("s3") < ends.index("s2")


async def test_a_stream_that_never_ends_holds_the_next_one_up_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "_BEFORE_SECONDS", 0.01)
    room = Room(monkeypatch)
    endless, second = room.opened(Reader(1)), room.opened(Reader(2))
    second.chunks.put_nowait("Hello")
    second.chunks.put_nowait(None)
    while not any(report.state == "closed" for report in room.reports):  # noqa: ASYNC110 - nothing to be woken by
        await asyncio.sleep(0.001)
    endless.chunks.put_nowait(None)
    await room.over()
    assert [report.stream_id for report in room.reports if report.state == "closed"] == ["s2", "s1"]
