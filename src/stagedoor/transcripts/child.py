"""The transcriber's process, `python -m stagedoor.transcripts.child`: joins rooms and reads their text streams.

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
from typing import Final, Literal

import msgspec
from livekit import rtc

from stagedoor.transcripts.protocol import Joined, Left, Order, Report, Subscribe, TextStream

# livekit-agents, livekit/agents/types.py: the topics and attributes of what its agents and clients send.
_SPEECH: Final = "lk.transcription"
_CHAT: Final = "lk.chat"
_SEGMENT: Final = "lk.segment_id"
_FINAL: Final = "lk.transcription_final"
_TRACK: Final = "lk.transcribed_track_id"
_LANGUAGES: Final = ("lk.transcription_language", "language")

LONGEST_CHARACTERS: Final = 65_536
"""Of one stream; what comes after is not taken."""
STREAMS_AT_ONCE: Final = 1_000
"""How many streams of a room may be open. Some agents never close theirs, so the oldest is let go for the next."""
LONGEST_ID: Final = 128
_CONNECT_SECONDS: Final = 15.0
_BEFORE_SECONDS: Final = 1.0
"""How long a stream without a segment id waits for the speaker's one before it to end. Some never do."""
_LINE_LIMIT_BYTES: Final = 1 << 20
_REPORT_EVERY_SECONDS: Final = 0.2
"""How often a stream that grows is reported at the most."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _report(report: Report) -> None:
    # Blocking on purpose: when the product does not read, LiveKit's streams wait, and nothing is lost or piled up.
    line = memoryview(msgspec.json.encode(report) + b"\n")
    while line:
        line = line[os.write(sys.stdout.fileno(), line) :]


class RoomSubscription:
    """One room whose text streams are read."""

    def __init__(self, order: Subscribe) -> None:
        self._order = order
        self._room = rtc.Room()
        self._over = asyncio.Event()
        self._reason = "left"
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._without_id: dict[str, asyncio.Task[None]] = {}
        self._streams = 0

    def leave(self) -> None:
        """Stop reading."""
        self._over.set()

    async def run(self) -> None:
        """Join, read until the end, and report why it ended."""
        try:
            await self._join()
        except Exception as error:  # noqa: BLE001 - whatever LiveKit's client raises, the product gets a report
            self._reason = f"{type(error).__name__}: {error}"[:300]
        finally:
            with contextlib.suppress(Exception):
                await self._room.disconnect()
            if self._readers:  # streams that were broken off report what they have
                await asyncio.wait(self._readers.values(), timeout=2.0)
            _report(Left(self._order.subscription, self._reason))

    async def _join(self) -> None:
        room, order = self._room, self._order
        room.on("disconnected", self._disconnected)  # pyright: ignore[reportUnknownMemberType]
        room.register_text_stream_handler(_SPEECH, self._speech)
        if order.chat:
            room.register_text_stream_handler(_CHAT, self._chat)
        async with asyncio.timeout(_CONNECT_SECONDS):
            await room.connect(order.url, order.token, rtc.RoomOptions(auto_subscribe=False))
            _report(Joined(order.subscription, await room.sid))
        await self._over.wait()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self._reason = rtc.DisconnectReason.Name(reason)
        self._over.set()

    def _speech(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._open(reader, "speech", identity)

    def _chat(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._open(reader, "chat", identity)

    def _open(self, reader: rtc.TextStreamReader, kind: Literal["speech", "chat"], identity: str) -> None:
        self._streams += 1
        number = self._streams
        person = self._room.remote_participants.get(identity)
        name = person.name if person is not None else ""
        stream = _Stream(self._order.subscription, kind, number, identity, name, reader)
        if len(self._readers) >= STREAMS_AT_ONCE:
            self._readers[min(self._readers)].cancel()
        before = None if stream.has_segment_id else self._without_id.get(identity)
        task = asyncio.create_task(stream.read(before), name=f"stream {number}")
        self._readers[number] = task
        if not stream.has_segment_id:
            self._without_id[identity] = task
        task.add_done_callback(lambda task: self._ended(number, identity, task))

    def _ended(self, number: int, identity: str, task: asyncio.Task[None]) -> None:
        del self._readers[number]
        if self._without_id.get(identity) is task:
            del self._without_id[identity]


class _Stream:
    """One text stream."""

    def __init__(
        self,
        subscription: str,
        kind: Literal["speech", "chat"],
        number: int,
        identity: str,
        name: str,
        reader: rtc.TextStreamReader,
    ) -> None:
        self._subscription = subscription
        self._kind: Final = kind
        self._number = number
        self._identity = identity
        self._name = name
        self._reader = reader
        self._text = ""
        self._began = _now_ms()

    @property
    def has_segment_id(self) -> bool:
        """Whether its sender says which segment it is a version of, or it needs none."""
        return self._kind == "chat" or bool((self._reader.info.attributes or {}).get(_SEGMENT))

    async def read(self, before: asyncio.Task[None] | None) -> None:
        """Report the stream each time it has grown, not too often, and at its end, whatever ends it.

        Args:
            before: Reads the speaker's stream before this one. LiveKit's client gives the chunks of two streams in any
                order, and which of them continues which shows only in the order in which they were sent.
        """
        reported = 0.0
        state: Literal["closed", "broken"] = "broken"
        try:
            if before is not None:
                await asyncio.wait([before], timeout=_BEFORE_SECONDS)
            async for grown in self._chunks():
                if not grown:
                    return
                if time.monotonic() - reported >= _REPORT_EVERY_SECONDS:
                    reported = time.monotonic()
                    _report(self._so_far("open"))
            state = "closed"
        except rtc.StreamError:
            pass  # the speaker went away, or we did
        finally:
            self._reader.close()
            _report(self._so_far(state))

    async def _chunks(self) -> AsyncIterator[bool]:
        """True for each chunk; false, and no more, when the stream is longer than what is taken."""
        async for chunk in self._reader:
            self._text = (self._text + chunk)[:LONGEST_CHARACTERS]
            if len(self._text) == LONGEST_CHARACTERS:
                yield False
                return
            yield True

    def _so_far(self, state: Literal["open", "closed", "broken"]) -> TextStream:
        # The trailer's attributes are added to the header's, and win: agents that stream word by word end with them.
        given = self._reader.info.attributes or {}
        final = given.get(_FINAL)
        segment = given.get(_SEGMENT) if self._kind == "speech" else None
        return TextStream(
            subscription=self._subscription,
            kind=self._kind,
            number=self._number,
            stream_id=self._reader.info.stream_id[:LONGEST_ID],
            segment_id=segment[:LONGEST_ID] if segment else None,
            speaker=self._identity,
            name=self._name,
            track_sid=given.get(_TRACK),
            language=next((given[name][:35] for name in _LANGUAGES if given.get(name)), None),
            text=self._text,
            state=state,
            final=None if final is None else final == "true",
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
        if isinstance(order, Subscribe):
            room = rooms[order.subscription] = RoomSubscription(order)
            task = asyncio.create_task(room.run(), name=f"subscription {order.subscription}")
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _, name=order.subscription: rooms.pop(name, None))
        elif (left := rooms.pop(order.subscription, None)) is not None:
            left.leave()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(main())
    os._exit(0)  # LiveKit's client has threads of its own that may keep the process
