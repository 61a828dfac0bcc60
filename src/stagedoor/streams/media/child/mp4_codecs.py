"""H.264, HEVC and AAC as MP4 stores them: descriptions, samples, and the names in the attribute `CODECS`."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import av
from av.error import FFmpegError

from stagedoor.streams.media.child.fmp4 import VIDEO_TIMESCALE, TrackEntry, aac_description, find_box
from stagedoor.streams.media.child.h264 import START_CODE, nal_units
from stagedoor.streams.media.child.media import Track

_AVC_SETS: Final = frozenset({7, 8, 13})
_HEVC_SETS: Final = frozenset({32, 33, 34})
_VISUAL_ENTRY_BYTES: Final = 78
_HIGH_EFFICIENCY: Final = frozenset({5, 29})
"""Audio object types whose frames have twice the samples."""


@dataclass(frozen=True, slots=True)
class Description:
    """A track as an initialization segment has it, and its codec's name in playlists."""

    entry: TrackEntry
    codec: str


def samples_of_frame(track: Track) -> int:
    """How many samples a frame of AAC has, at the track's rate."""
    return 2048 if track.extradata and track.extradata[0] >> 3 in _HIGH_EFFICIENCY else 1024


def audio_description(track: Track) -> Description:
    """The description of AAC."""
    config = track.extradata or b""
    kind = config[0] >> 3
    entry = TrackEntry(track.sample_rate, aac_description(config, track.sample_rate, track.channels))
    return Description(entry, f"mp4a.40.{kind}")


class AccessUnits:
    """Makes samples of a video's access units, and its description.

    Args:
        track: Of H.264 or HEVC.
    """

    def __init__(self, track: Track) -> None:
        self._hevc = track.codec == "hevc"
        extradata = track.extradata or b""
        self._length_bytes = 0
        if self._hevc and extradata[:1] == b"\x01":
            self._length_bytes = (extradata[21] & 3) + 1
            self._sets = _sets_of_hvcc(extradata)
        else:
            self._sets = [unit for unit in nal_units(extradata) if self._is_set(unit)]

    def take_sets(self, data: bytes) -> bool:
        """Note the parameter sets in a key frame; whether they are others than before."""
        sets = [unit for unit in self._units(data) if self._is_set(unit)]
        changed = bool(sets) and sets != self._sets
        if sets:
            self._sets = sets
        return changed

    def sample(self, data: bytes) -> bytes:
        """The sample of an access unit: with lengths, and without the parameter sets, which are in the description."""
        units = [unit for unit in self._units(data) if not self._is_set(unit)]
        return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)

    def description(self, key_frame: bytes) -> Description | None:
        """The description, by FFmpeg's muxer from a key frame; none when FFmpeg finds no video in it."""
        units = [*self._sets, *(unit for unit in self._units(key_frame) if not self._is_set(unit))]
        stream = b"".join(START_CODE + unit for unit in units)
        header = io.BytesIO()
        try:
            with av.open(io.BytesIO(stream), "r", format="hevc" if self._hevc else "h264") as source:
                template = source.streams.video[0]
                width, height = template.codec_context.width, template.codec_context.height
                out = av.open(header, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof+cmaf"})
                out.add_stream_from_template(template)
                out.start_encoding()
                made = header.getvalue()
                out.close()
        except (FFmpegError, IndexError, ValueError):
            return None
        stsd = find_box(made, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
        if stsd is None or not width:
            return None
        stsd = stsd.replace(b"hev1", b"hvc1", 1)
        boxes = stsd[16 + 8 + _VISUAL_ENTRY_BYTES :]
        configuration = find_box(boxes, b"hvcC" if self._hevc else b"avcC")
        if configuration is None:
            return None
        name = _hevc_name(configuration[8:]) if self._hevc else f"avc1.{configuration[9:12].hex()}"
        return Description(TrackEntry(VIDEO_TIMESCALE, stsd, width, height), name)

    def _units(self, data: bytes) -> list[bytes]:
        if not self._length_bytes:
            return nal_units(data)
        units: list[bytes] = []
        position, size = 0, self._length_bytes
        while position + size < len(data):
            end = position + size + int.from_bytes(data[position : position + size], "big")
            units.append(data[position + size : end])
            position = end
        return [unit for unit in units if unit]

    def _is_set(self, unit: bytes) -> bool:
        return unit[0] >> 1 & 0x3F in _HEVC_SETS if self._hevc else unit[0] & 0x1F in _AVC_SETS


def _sets_of_hvcc(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    position = 23
    for _ in range(data[22] if len(data) > position else 0):
        count = int.from_bytes(data[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            size = int.from_bytes(data[position : position + 2], "big")
            units.append(data[position + 2 : position + 2 + size])
            position += 2 + size
    return [unit for unit in units if unit and unit[0] >> 1 & 0x3F in _HEVC_SETS]


def _hevc_name(configuration: bytes) -> str:
    """RFC 6381 and ISO/IEC 14496-15 Annex E: profile, compatibility, tier and level, constraints."""
    first = configuration[1]
    space = ("", "A", "B", "C")[first >> 6]
    compatibility = int(f"{int.from_bytes(configuration[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if first & 0x20 else "L"
    constraints = configuration[6:12].rstrip(b"\x00")
    parts = [f"hvc1.{space}{first & 0x1F}", f"{compatibility:X}", f"{tier}{configuration[12]}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints)])
