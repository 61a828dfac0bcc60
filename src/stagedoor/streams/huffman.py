"""The Huffman tables of ITU-T T.81, annex K.3, which motion JPEG leaves out of its frames."""

from __future__ import annotations

from typing import Final

_DHT: Final = b"\xff\xc4"
_DC_SIZES: Final = bytes(range(12))
_DC_COUNTS: Final = ("00010501010101010100000000000000", "00030101010101010101010000000000")
_AC_COUNTS: Final = ("0002010303020403050504040000017d", "00020102040403040705040400010277")
_AC_SIZES: Final = (
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
    "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
    "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    "0001020311040521310612415107617113223281081442"
    "91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768"
    "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3"
    "d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
)


def _segment() -> bytes:
    tables = b""
    for number in (0, 1):
        tables += bytes([number]) + bytes.fromhex(_DC_COUNTS[number]) + _DC_SIZES
        tables += bytes([0x10 | number]) + bytes.fromhex(_AC_COUNTS[number]) + bytes.fromhex(_AC_SIZES[number])
    return _DHT + (len(tables) + 2).to_bytes(2, "big") + tables


STANDARD_TABLES: Final = _segment()
"""One DHT segment with the tables for luminance (0) and chrominance (1)."""

STANDARD_IDS: Final = frozenset({0x00, 0x01, 0x10, 0x11})
"""The class and number of each of them, as DHT writes them."""
