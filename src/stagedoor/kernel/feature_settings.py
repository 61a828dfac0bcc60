"""Settings that an app has for a feature: the feature declares them, and everything about each of them stands there.

Its fields have a default and a `msgspec.Meta` with description and example; a number has `Bounds`, a duration a `Span`,
and what callers write in another form than it is kept in has a `Written`. The API's bodies are made of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec


class FeatureSettings(msgspec.Struct, frozen=True):
    """What an app decides for one feature. Settings of other features are passed over when it is read."""


@dataclass(frozen=True, slots=True)
class Span:
    """The setting is a duration: kept in seconds, and written `90s`, `10m`, `1h` or `2d` by callers.

    Attributes:
        because: Why it is no shorter, for the sentence that a caller reads.
    """

    shortest: str = "1s"
    longest: str | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What callers may set a number to. What is stored is not held to it, so that a bound can be made narrower."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Written:
    """The type that callers write the setting in."""

    as_type: Any
