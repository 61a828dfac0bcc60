"""Packets of an encoder's FLV through the segmenter, without a worker, and what FFmpeg finds in the result."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import av

from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.child.reader import Reader
from stagedoor.streams.media.child.segmenter import Segmenter
from stagedoor.streams.media.segments import Header, Initialization, Part
from tests.support.flv import HEADER, Tag


def packets_of(tags: list[Tag], *, begin: int = 1_000_000_000) -> list[MediaPacket]:
    """The packets of a file, whose first time stamp is put at `begin` microseconds."""
    made: list[MediaPacket] = []
    source: Any
    with av.open(io.BytesIO(HEADER + b"".join(tag.data for tag in tags)), "r", format="flv") as source:
        readers = {stream.index: Reader(stream) for stream in source.streams}
        for packet in source.demux():
            reader = readers[packet.stream_index]
            if not packet.size or reader.track is None:
                continue
            base = packet.time_base * 1_000_000
            stamps = (begin + int(packet.pts * base), begin + int(packet.dts * base))
            key = packet.is_keyframe
            made.append(MediaPacket(reader.track, reader.data(packet), *stamps, key, live=True))
    return made


@dataclass
class Made:
    """What the segmenter made."""

    messages: list[tuple[Header, bytes]] = field(default_factory=list[tuple[Header, bytes]])

    @property
    def parts(self) -> list[Part]:
        return [header for header, _ in self.messages if isinstance(header, Part)]

    @property
    def initializations(self) -> list[Initialization]:
        return [header for header, _ in self.messages if isinstance(header, Initialization)]

    def segments(self) -> list[list[Part]]:
        """The parts of each segment."""
        found: list[list[Part]] = [[]]
        for part in self.parts:
            found[-1].append(part)
            if part.ends:
                found.append([])
        return [parts for parts in found if parts]

    def files(self) -> list[bytes]:
        """A whole file for each timeline."""
        made: list[bytes] = []
        for header, media in self.messages:
            if isinstance(header, Initialization):
                made.append(b"")
            made[-1] += media
        return made


def segmented(packets: list[MediaPacket], segment: float = 2.0, part: float = 0.5) -> Made:
    """Everything that comes of packets."""
    segmenter = Segmenter(segment, part)
    made = Made()
    for packet in packets:
        made.messages += segmenter.take(packet)
    made.messages += segmenter.interrupt()
    return made


def demuxed(data: bytes, kind: str) -> list[tuple[int, int, bytes]]:
    """Presentation and decode time in microseconds, and the data, of a file's packets; H.264 in Annex B form."""
    source: Any
    found: list[tuple[int, int, bytes]] = []
    with av.open(io.BytesIO(data), "r") as source:
        stream = next(stream for stream in source.streams if stream.type == kind)
        reader = Reader(stream)
        for packet in source.demux(stream):
            if packet.size:
                base = packet.time_base * 1_000_000
                found.append((int(packet.pts * base), int(packet.dts * base), reader.data(packet)))
    return found
