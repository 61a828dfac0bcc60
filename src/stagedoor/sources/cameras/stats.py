"""Parses the statistics that a device sends as text messages: `{"type":"stats", …}`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from stagedoor.kernel.errors import StagedoorError

LONGEST_STATS: Final = 4_096
"""The size of the longest message, in bytes."""

_BOM: Final = "\ufeff"
_OUT_OF_RANGE: Final = "Number out of range"
"""How msgspec begins its sentence about a number such as 1e400, which is JSON and fits in no float."""


class NotStats(StagedoorError):
    """A text message is not a valid stats message; the error's message states why."""


def read_stats(text: str) -> dict[str, Any]:
    """The fields of a stats message, without its type.

    Raises:
        NotStats: The text is too long, not a JSON object, or of another type.
    """
    text = text.removeprefix(_BOM).rstrip("\x00")
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST_STATS:
        raise NotStats(f"the text has {size} bytes, and {LONGEST_STATS} is the most")
    if text.startswith("/9j/"):
        raise NotStats("it is a JPEG as base64 text; send its bytes as a binary message")
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.ValidationError as error:
        if str(error).startswith(_OUT_OF_RANGE):
            raise NotStats("a number in the text is larger than a double can hold (1.8e308)") from None
        raise NotStats('the text is JSON and no object; what a device may say is {"type":"stats", …}') from None
    except (msgspec.DecodeError, UnicodeError):
        raise NotStats('the text is not JSON; what a device may say is {"type":"stats", …}') from None
    except RecursionError:
        raise NotStats("the text is nested too deeply") from None
    # A tagged struct would not do: msgspec takes an object without the tag for one that has it.
    kind = fields.pop("type", None)
    if kind != "stats":
        raise NotStats(f'the text\'s type is {str(kind)[:32]!r}; what a device may say is {{"type":"stats", …}}')
    return fields
