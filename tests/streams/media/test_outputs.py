"""An output is made of a running stream, from its last key frame on, and survives the worker."""

from __future__ import annotations

import os
import signal
from typing import Any

from stagedoor.streams.media.protocol import SegmentOutput
from stagedoor.streams.media.segments import Header, Initialization, Part
from tests.streams.media.publishing import media_workers, playing, published
from tests.streams.media.test_segmenter import decoded
from tests.support.api_tenant import fresh
from tests.support.flv import encode
from tests.support.product import ExternalLiveKit, eventually

OUTPUT = SegmentOutput(2.0, 0.5)


class Sink:
    """Keeps what an output makes."""

    def __init__(self) -> None:
        self.got: list[tuple[Header, bytes]] = []

    def __call__(self, header: Header, media: bytes) -> None:
        self.got.append((header, media))

    def kinds(self, kind: Any) -> list[Any]:
        return [header for header, _ in self.got if isinstance(header, kind)]

    async def until(self, kind: Any, count: int) -> None:
        async def look() -> bool:
            return len(self.kinds(kind)) >= count

        await eventually(look)


async def test_an_output_begins_with_the_last_key_frame_and_ends_when_it_is_stopped(
    bare_livekit: ExternalLiveKit,
) -> None:
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, fresh("room")) as one,
        playing(one, encode(60, group=1000)),
    ):
        await one.until_published()
        sink = Sink()
        output = one.stream.start_output(OUTPUT, sink)
        await sink.until(Part, 6)
        assert sink.kinds(Part)[0].independent, "it does not begin with the key frame that came before it was started"
        file = b"".join(media for _, media in sink.got)
        assert len(decoded(file)) > 30
        one.stream.stop_output(output)
        count = len(sink.got)
        other = Sink()
        one.stream.start_output(OUTPUT, other)
        await other.until(Part, 8)
        assert len(sink.got) == count


async def test_an_output_goes_on_with_a_new_worker(bare_livekit: ExternalLiveKit) -> None:
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, fresh("room")) as one,
        playing(one, encode(60)),
    ):
        await one.until_published()
        sink = Sink()
        one.stream.start_output(OUTPUT, sink)
        await sink.until(Part, 3)
        pid = one.stream.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await sink.until(Initialization, 2)
        count = len(sink.kinds(Part))
        await sink.until(Part, count + 3)
