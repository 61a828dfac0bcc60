"""What AMF carries, as Python values."""

from __future__ import annotations

from typing import Final, TypeAlias

AmfValue: TypeAlias = "bool | float | str | bytes | list[AmfValue] | dict[str, AmfValue] | None"
"""Undefined is `None`, a date its milliseconds, an XML document its text, an object or ECMA array a `dict`."""

DEEPEST: Final = 16
"""Objects and arrays in one another."""

MOST_VALUES: Final = 4_096
"""Values in one message."""
