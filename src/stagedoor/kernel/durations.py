"""Durations as people write them: `90s`, `10m`, `1h`, `2d`, or seconds as a number."""

from __future__ import annotations

import math
import re

from stagedoor.kernel.wording import form

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PATTERN = re.compile(r"([0-9]{1,10})([smhd]?)")
_MOST = 10**10
PATTERN = form(r"^[0-9]{1,10}[smhd]?$", "it is a duration such as 90s, 10m, 1h or 2d")
"""The same form as a JSON Schema pattern."""


def parse_duration(value: str | float) -> int:
    """Whole seconds, at least 1; a part of a second counts as one.

    Raises:
        ValueError: `value` is not a duration; the message says which forms are.
    """
    if isinstance(value, bool):
        raise ValueError("a duration is a number of seconds or a text such as 90s, 10m, 1h or 2d")  # noqa: TRY004
    if isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > _MOST:
            raise ValueError("a duration is a number of seconds that is not beyond all reason")
        seconds = math.ceil(value)
    else:
        match = _PATTERN.fullmatch(value)
        if match is None:
            raise ValueError("a duration is a number of seconds or a text such as 90s, 10m, 1h or 2d")
        seconds = int(match[1]) * _UNITS[match[2] or "s"]
    if seconds < 1:
        raise ValueError("a duration is at least one second")
    return seconds


def format_duration(seconds: int) -> str:
    """The shortest form that `parse_duration` reads back as the same number of seconds."""
    for unit in ("d", "h", "m"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"
