"""H.264 access units in Annex B form: their parameter sets, and what browsers can decode."""

from __future__ import annotations

from typing import Final

START_CODE: Final = b"\x00\x00\x00\x01"
_SLICE_IDR: Final = 5
_SPS: Final = 7
_PPS: Final = 8

_DECODABLE: Final = (66, 77, 88, 100)
_PROFILES: Final = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4",
    44: "CAVLC 4:4:4",
}


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an access unit, without start codes."""
    units: list[bytes] = []
    begin = data.find(b"\x00\x00\x01")
    while begin >= 0:
        following = data.find(b"\x00\x00\x01", begin + 3)
        unit = data[begin + 3 : following if following >= 0 else None]
        units.append(unit.rstrip(b"\x00") if following >= 0 else unit)
        begin = following
    return [unit for unit in units if unit]


def has_idr(data: bytes) -> bool:
    """Whether a decoder can begin at this access unit."""
    return any(unit[0] & 0x1F == _SLICE_IDR for unit in nal_units(data))


def parameter_sets(data: bytes) -> bytes:
    """The parameter sets in an access unit or in extradata of either form; empty unless both kinds are there."""
    units = _of_avcc(data) if data[:1] == b"\x01" else nal_units(data)
    sets = [unit for unit in units if unit[0] & 0x1F in {_SPS, _PPS}]
    if {unit[0] & 0x1F for unit in sets} != {_SPS, _PPS}:
        return b""
    return b"".join(START_CODE + unit for unit in sets)


def _of_avcc(data: bytes) -> list[bytes]:
    units: list[bytes] = []
    position = 5
    for mask in (0x1F, 0xFF):
        if position >= len(data):
            return []
        count = data[position] & mask
        position += 1
        for _ in range(count):
            size = int.from_bytes(data[position : position + 2], "big")
            unit = data[position + 2 : position + 2 + size]
            if not unit or len(unit) < size:
                return []
            units.append(unit)
            position += 2 + size
    return units


def profile_of(sets: bytes) -> tuple[str, bool]:
    """The profile that parameter sets name, and whether browsers decode it."""
    for unit in nal_units(sets):
        if unit[0] & 0x1F == _SPS and len(unit) > 3:
            return _PROFILES.get(unit[1], f"profile {unit[1]}"), unit[1] in _DECODABLE
    return "", True
