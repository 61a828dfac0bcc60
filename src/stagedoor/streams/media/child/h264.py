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
    244: "High 4:4:4 Predictive",
    44: "CAVLC 4:4:4 Intra",
}
_SET1, _SET3, _SET4, _SET5 = 0x40, 0x10, 0x08, 0x04


def profile_name(profile_idc: int, constraints: int) -> str:
    """The profile as annex A of the standard names it.

    Args:
        profile_idc: The number in the sequence parameter set.
        constraints: The byte after it, with `constraint_set0_flag` as its highest bit and those up to 5 below.
    """
    name = _PROFILES.get(profile_idc, f"profile {profile_idc}")
    if profile_idc == 66 and constraints & _SET1:
        return f"Constrained {name}"
    if profile_idc == 100 and constraints & _SET4:
        return f"{'Constrained' if constraints & _SET5 else 'Progressive'} {name}"
    if profile_idc in {110, 122, 244} and constraints & _SET3:
        return f"{name.removesuffix(' Predictive')} Intra"
    return name


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
            return profile_name(unit[1], unit[2]), unit[1] in _DECODABLE
    return "", True
