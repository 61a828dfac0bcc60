"""Pictures with the time in them: a row of squares, black or white, is the clock in binary."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 640
HEIGHT: Final = 360
_BITS: Final = 32
_SQUARE: Final = WIDTH // _BITS

Luma = NDArray[np.uint8]


def draw(luma: Luma, milliseconds: int) -> None:
    """Write the time into the first rows of a picture's luma."""
    bits = [milliseconds >> bit & 1 for bit in range(_BITS)]
    luma[:_SQUARE] = np.repeat(np.array(bits, np.uint8) * 219 + 16, _SQUARE)


def read(luma: Luma) -> int:
    """The time in a picture, which an encoder may have made less sharp."""
    middle = luma[_SQUARE // 2, _SQUARE // 2 : _BITS * _SQUARE : _SQUARE]
    return sum(1 << bit for bit, value in enumerate(middle.tolist()) if value > 127)
