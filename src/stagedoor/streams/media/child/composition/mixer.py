"""All sounds of a room as one, with a limiter that has no sudden edge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from stagedoor.streams.media.child.composition.sound import CHANNELS, Samples

_KNEE: Final = 0.8
"""What is quieter is passed as it is; what is louder is bent, and never reaches 1."""


def mix(sounds: Iterable[Samples], count: int) -> Samples:
    """The sum of sounds of so many samples, limited."""
    total = np.zeros((count, CHANNELS), np.float32)
    for sound in sounds:
        total += sound
    return limited(total)


def limited(samples: Samples) -> Samples:
    """The samples between -1 and 1."""
    size = np.abs(samples)
    if not len(samples) or size.max() <= _KNEE:
        return samples
    room = 1.0 - _KNEE
    bent = np.sign(samples) * (_KNEE + room * np.tanh((size - _KNEE) / room))
    return np.where(size > _KNEE, bent, samples).astype(np.float32)
