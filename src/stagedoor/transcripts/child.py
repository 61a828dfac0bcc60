"""The scribe, `python -m stagedoor.transcripts.child`: a process that joins rooms and listens to their text streams.

It is a process of its own because LiveKit's client is native code: what ends it must not end the product. It ends when
its standard input does, so nothing is left of it when the product is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from livekit import rtc

from stagedoor.transcripts.protocol import Attend, Gone, Heard, Joined, Order, Report

# livekit-agents, livekit/agents/types.py: the topics and attributes of what its agents and clients send.
_SPEECH: Final = "lk.transcription"
_CHAT: Final = "lk.chat"
_SEGMENT: Final = "lk.segment_id"
_FINAL: Final = "lk.transcription_final"
_TRACK: Final = "lk.transcribed_track_id"
_LANGUAGES: Final = ("lk.transcription_language", "language")

LONGEST_CHARACTERS: Final = 65_536
"""Of one segment; what comes after is not taken."""
_CONNECT_SECONDS: Final = 15.0
_LINE_LIMIT_BYTES: Final = 1 << 20
_EVERY_SECONDS: Final = 0.2
"""How often a segment that grows is told at the most."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tell(report: Report) -> None:
    # Blocking on purpose: when the product does not read, LiveKit's streams wait, and nothing is lost or piled up.
    line = memoryview(msgspec.json.encode(report) + b"\n")
    while line:
        line = line[os.write(sys.stdout.fileno(), line) :]


class RoomSubscription:
    """One room that is listened to."""

    def __init__(self, order: Attend) -> None:
        self._order = order
        self._room = rtc.Room()
        self._over = asyncio.Event()
        self._reason = "left"
        self._readers: set[asyncio.Task[None]] = set()
        self._newest: dict[tuple[str, str], int] = {}
        self._final: dict[tuple[str, str], int] = {}
        self._streams = 0

    def leave(self) -> None:
        """Stop listening."""
        self._over.set()

    async def run(self) -> None:
        """Join, listen until the end, and say why it ended."""
        try:
            await self._attend()
        except Exception as error:  # noqa: BLE001 - whatever LiveKit's client raises, the product is told
            self._reason = f"{type(error).__name__}: {error}"[:300]
        finally:
            with contextlib.suppress(Exception):
                await self._room.disconnect()
            if self._readers:  # streams that were cut tell what they have
                await asyncio.wait(self._readers, timeout=2.0)
            _tell(Gone(self._order.attendance, self._reason))

    async def _attend(self) -> None:
        room, order = self._room, self._order
        room.on("disconnected", self._disconnected)  # pyright: ignore[reportUnknownMemberType]
        room.register_text_stream_handler(_SPEECH, self._speech)
        if order.chat:
            room.register_text_stream_handler(_CHAT, self._chat)
        async with asyncio.timeout(_CONNECT_SECONDS):
            await room.connect(order.url, order.token, rtc.RoomOptions(auto_subscribe=False))
            _tell(Joined(order.attendance, await room.sid))
        await self._over.wait()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self._reason = rtc.DisconnectReason.Name(reason)
        self._over.set()

    def _speech(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._read(reader, "speech", identity)

    def _chat(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._read(reader, "chat", identity)

    def _read(self, reader: rtc.TextStreamReader, kind: str, identity: str) -> None:
        self._streams += 1
        segment = _Segment(self._order.attendance, kind, identity, self._name(identity), reader)
        # A later stream of a segment replaces an earlier one, even when the earlier one is read to its end later; but
        # what is final is told all the same, unless something later was.
        place = self._streams
        key = identity, segment.id
        self._newest[key] = place

        async def read() -> None:
            try:
                async for heard in segment.growing():
                    if heard.final and place > self._final.get(key, 0):
                        self._final[key] = place
                        _tell(heard)
                    elif not heard.final and self._newest.get(key) == place:
                        _tell(heard)
            finally:
                if self._newest.get(key) == place:
                    del self._newest[key]

        task = asyncio.create_task(read(), name=f"stream {segment.id}")
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    def _name(self, identity: str) -> str:
        person = self._room.remote_participants.get(identity)
        return person.name if person is not None else ""


class _Segment:
    """One text stream."""

    def __init__(self, attendance: str, kind: str, identity: str, name: str, reader: rtc.TextStreamReader) -> None:
        self._attendance = attendance
        self._kind = kind
        self._identity = identity
        self._name = name
        self._reader = reader
        self._text = ""
        self._began = _now_ms()
        given = reader.info.attributes or {}
        self.id = (given.get(_SEGMENT) if kind == "speech" else None) or reader.info.stream_id

    async def growing(self) -> AsyncIterator[Heard]:
        """The segment each time it has grown, not too often, and at its end."""
        told = 0.0
        whole = True
        try:
            async for chunk in self._reader:
                self._text = (self._text + chunk)[:LONGEST_CHARACTERS]
                if len(self._text) == LONGEST_CHARACTERS:
                    whole = False
                    self._reader.close()
                elif time.monotonic() - told >= _EVERY_SECONDS:
                    told = time.monotonic()
                    yield self._heard(final=False)
        except rtc.StreamError:
            whole = False  # the speaker went away, or we did
        yield self._heard(final=whole and self._said_final())

    def _said_final(self) -> bool:
        # The last word is the trailer's (agents that stream word by word), then the header's; a sender that says
        # neither sends whole segments.
        return (self._reader.info.attributes or {}).get(_FINAL, "true") == "true"

    def _heard(self, *, final: bool) -> Heard:
        given = self._reader.info.attributes or {}
        return Heard(
            attendance=self._attendance,
            kind="chat" if self._kind == "chat" else "speech",
            speaker=self._identity,
            segment_id=self.id[:128],
            name=self._name,
            track_sid=given.get(_TRACK),
            language=next((given[name][:35] for name in _LANGUAGES if given.get(name)), None),
            text=self._text,
            final=final,
            started_at=self._began,
            ended_at=_now_ms(),
        )


async def main() -> None:
    """Follow orders until there are no more."""
    orders = asyncio.StreamReader(limit=_LINE_LIMIT_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    rooms: dict[str, RoomSubscription] = {}
    tasks: set[asyncio.Task[None]] = set()
    async for line in orders:
        order = msgspec.json.decode(line, type=Order)
        if isinstance(order, Attend):
            attendance = rooms[order.attendance] = RoomSubscription(order)
            task = asyncio.create_task(attendance.run(), name=f"attend {order.attendance}")
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _, name=order.attendance: rooms.pop(name, None))
        elif (attending := rooms.pop(order.attendance, None)) is not None:
            attending.leave()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(main())
    os._exit(0)  # LiveKit's client has threads of its own that may keep the process
