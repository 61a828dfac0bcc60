"""Which way up a JPEG is shown: the orientation tag of EXIF (0x0112), which is lost when a picture is decoded."""

from __future__ import annotations

from typing import Any, Final

_TAG: Final = 0x0112
_MOST_ENTRIES: Final = 200


def orientation_of(jpeg: bytes) -> int:
    """1 to 8, as EXIF numbers them; 1, which is as stored, when the picture has none."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 4 < len(jpeg):
        marker = jpeg[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA:
            return 1
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == 0xE1 and jpeg[at + 4 : at + 10] == b"Exif\x00\x00":
            return _in_tiff(jpeg[at + 10 : end])
        at = end
    return 1


def _in_tiff(tiff: bytes) -> int:
    order: Any = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return 1
    entries = int.from_bytes(tiff[4:8], order)
    for number in range(min(int.from_bytes(tiff[entries : entries + 2], order), _MOST_ENTRIES)):
        entry = tiff[entries + 2 + 12 * number : entries + 14 + 12 * number]
        if len(entry) == 12 and int.from_bytes(entry[:2], order) == _TAG:
            value = int.from_bytes(entry[8:10], order)
            return value if 1 <= value <= 8 else 1
    return 1


def upright(pixels: Any, orientation: int) -> Any:
    """The array of a picture, rows first, turned as its orientation says."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels
