"""H.264 access units in Annex B form: their parameter sets, and what browsers can decode."""

from __future__ import annotations

from typing import Final

START_CODE: Final = b"\x00\x00\x00\x01"
_SLICE: Final = 1
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
_HEADER_BITS: Final = 64
_MOST_SLICE_TYPE: Final = 9
_INTRA: Final = (2, 4)
_MOST_PPS_ID: Final = 255
_WITHOUT_PICTURE: Final = range(6, 16)
"""Types of NAL units that describe pictures: parameter sets, SEI, delimiters."""
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


def whole(data: bytes) -> bool | None:
    """Whether an access unit looks like a picture: it has a slice whose header can be read, which noise has not.

    `None` when it has nothing but descriptions of pictures, as encoders send them on their own.
    """
    described = False
    begin = data.find(b"\x00\x00\x01")
    while begin >= 0:
        unit = data[begin + 3 : begin + 4 + _HEADER_BITS // 8]
        kind = unit[0] & 0x1F if unit else 0
        if kind in {_SLICE, _SLICE_IDR}:
            return _is_slice(unit)
        described |= kind in _WITHOUT_PICTURE
        begin = data.find(b"\x00\x00\x01", begin + 3)
    return None if described else False


def _is_slice(unit: bytes) -> bool:
    """Whether the first slice of a picture can begin so (section 7.3.3): at the first macroblock, of a known type."""
    bits = "".join(f"{byte:08b}" for byte in unit[1:])
    first, at = _exp_golomb(bits, 0)
    kind, at = _exp_golomb(bits, at)
    pps, _ = _exp_golomb(bits, at)
    if unit[0] & 0x80 or first != 0 or not 0 <= kind <= _MOST_SLICE_TYPE or not 0 <= pps <= _MOST_PPS_ID:
        return False
    return unit[0] & 0x1F != _SLICE_IDR or (unit[0] & 0x60 != 0 and kind % 5 in _INTRA)


def _exp_golomb(bits: str, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it; -1 when there is none."""
    one = bits.find("1", at)
    end = 2 * one - at + 1
    if one < 0 or end > len(bits):
        return -1, len(bits)
    return int(bits[one:end], 2) - 1, end


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
