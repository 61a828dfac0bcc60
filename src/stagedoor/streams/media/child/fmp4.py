"""Boxes of fragmented MP4 (ISO/IEC 14496-12, CMAF): initialization segments and fragments of one or two tracks."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

VIDEO_TIMESCALE: Final = 90_000

_KEY: Final = 0x0200_0000
"""Sample flags: depends on no other."""
_NOT_KEY: Final = 0x0101_0000
"""Depends on others, and is no place to begin at."""
_BASE_IS_MOOF: Final = 0x02_0000
_TRUN: Final = 0x01 | 0x100 | 0x200 | 0x400 | 0x800
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """A track of an initialization segment.

    Attributes:
        description: The box `stsd`.
        width: In pixels; 0 for audio.
    """

    timescale: int
    description: bytes
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a fragment; times are in the track's timescale.

    Attributes:
        offset: From its decode to its presentation time.
    """

    data: bytes
    duration: int
    offset: int
    key: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The samples of one track in a fragment, which follow each other without a gap.

    Attributes:
        track: Counted from 1.
        decode_time: Of the first sample.
    """

    track: int
    decode_time: int
    samples: Sequence[Sample]


def box(kind: bytes, *contents: bytes) -> bytes:
    """A box."""
    size = 8 + sum(map(len, contents))
    return b"".join((size.to_bytes(4, "big"), kind, *contents))


def full_box(kind: bytes, version: int, flags: int, *contents: bytes) -> bytes:
    """A box with a version and flags."""
    return box(kind, (version << 24 | flags).to_bytes(4, "big"), *contents)


def initialization(tracks: Sequence[TrackEntry]) -> bytes:
    """An initialization segment."""
    movie = full_box(
        b"mvhd", 0, 0, struct.pack(">IIIIIH10x", 0, 0, 1_000, 0, 0x10000, 0x100), _MATRIX, bytes(24),
        (len(tracks) + 1).to_bytes(4, "big"),
    )  # fmt: skip
    extends = [full_box(b"trex", 0, 0, struct.pack(">5I", number + 1, 1, 0, 0, 0)) for number in range(len(tracks))]
    return box(b"ftyp", b"iso6", bytes(4), b"iso6cmfcmp41") + box(
        b"moov", movie, *(_track(number + 1, track) for number, track in enumerate(tracks)), box(b"mvex", *extends)
    )


def fragment(sequence: int, runs: Sequence[Run]) -> bytes:
    """A fragment: `moof` and `mdat`."""
    headers = full_box(b"mfhd", 0, 0, sequence.to_bytes(4, "big"))
    # The size of a `moof` does not depend on its offsets: measured first, then made.
    size = 8 + len(headers) + sum(len(_track_fragment(run, 0)) for run in runs)
    tracks: list[bytes] = []
    data: list[bytes] = []
    offset = size + 8
    for run in runs:
        tracks.append(_track_fragment(run, offset))
        data += [sample.data for sample in run.samples]
        offset += sum(len(sample.data) for sample in run.samples)
    return box(b"moof", headers, *tracks) + box(b"mdat", *data)


def aac_description(config: bytes, sample_rate: int, channels: int) -> bytes:
    """The box `stsd` of AAC.

    Args:
        config: The `AudioSpecificConfig`.
    """
    decoder = _descriptor(4, bytes((0x40, 0x15)) + bytes(11) + _descriptor(5, config))
    stream = _descriptor(3, b"\x00\x01\x00" + decoder + _descriptor(6, b"\x02"))
    entry = struct.pack(">6xH8xHHIHH", 1, channels, 16, 0, min(sample_rate, 0xFFFF), 0)
    return full_box(b"stsd", 0, 0, (1).to_bytes(4, "big"), box(b"mp4a", entry, full_box(b"esds", 0, 0, stream)))


def find_box(data: bytes, *path: bytes) -> bytes | None:
    """A box in boxes in `data`, with its header."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8:
            return None
        if data[position + 4 : position + 8] == path[0]:
            found = data[position : position + size]
            return found if len(path) == 1 else find_box(found[8:], *path[1:])
        position += size
    return None


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80, 0x80, 0x80, len(content))) + content


def _track(number: int, track: TrackEntry) -> bytes:
    video = track.width > 0
    header = full_box(
        b"tkhd", 0, 7, struct.pack(">III4xI8xHHH2x", 0, 0, number, 0, 0, 0, 0 if video else 0x100), _MATRIX,
        struct.pack(">II", track.width << 16, track.height << 16),
    )  # fmt: skip
    media_header = full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, track.timescale, 0, 0x55C4, 0))
    handler = full_box(b"hdlr", 0, 0, bytes(4), b"vide" if video else b"soun", bytes(12), b"\x00")
    kind = full_box(b"vmhd", 0, 1, bytes(8)) if video else full_box(b"smhd", 0, 0, bytes(4))
    reference = full_box(b"dref", 0, 0, (1).to_bytes(4, "big"), full_box(b"url ", 0, 1))
    tables = [
        full_box(name, 0, 0, bytes(size)) for name, size in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))
    ]
    information = box(b"minf", kind, box(b"dinf", reference), box(b"stbl", track.description, *tables))
    return box(b"trak", header, box(b"mdia", media_header, handler, information))


def _track_fragment(run: Run, offset: int) -> bytes:
    header = full_box(b"tfhd", 0, _BASE_IS_MOOF, run.track.to_bytes(4, "big"))
    time = full_box(b"tfdt", 1, 0, run.decode_time.to_bytes(8, "big"))
    table = b"".join(
        struct.pack(">IIIi", sample.duration, len(sample.data), _KEY if sample.key else _NOT_KEY, sample.offset)
        for sample in run.samples
    )
    return box(b"traf", header, time, full_box(b"trun", 1, _TRUN, struct.pack(">Ii", len(run.samples), offset), table))
