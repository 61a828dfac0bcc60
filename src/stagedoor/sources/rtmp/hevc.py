"""The decoder configurations of AVC and HEVC apart, for encoders that send one under the other's name."""

from __future__ import annotations

from typing import Final

_AVC_SPS: Final = 7
_HEVC_SETS: Final = (32, 33, 34, 39, 40)
_ARRAYS_AT: Final = 22


def is_hevc_configuration(configuration: bytes) -> bool:
    """Whether it is an `HEVCDecoderConfigurationRecord`, and not an `AVCDecoderConfigurationRecord`."""
    return not _is_avc(configuration) and _is_hevc(configuration)


def _is_avc(configuration: bytes) -> bool:
    """Behind its five fixed bytes, a number of sequence parameter sets, and the first of them."""
    return len(configuration) > 8 and configuration[5] & 0x1F == 1 and configuration[8] & 0x1F == _AVC_SPS


def _is_hevc(configuration: bytes) -> bool:
    """Behind its fixed bytes, a number of arrays, and the type of the first."""
    return (
        len(configuration) > _ARRAYS_AT + 1
        and 0 < configuration[_ARRAYS_AT] <= len(_HEVC_SETS)
        and configuration[_ARRAYS_AT + 1] & 0x3F in _HEVC_SETS
    )
