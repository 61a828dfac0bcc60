"""Text that others wrote, on its way into something of ours."""

from __future__ import annotations

import re
from typing import Final

_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text that every encoder and every database takes: without the halves of surrogate pairs, which UTF-8 does not
    have, and without NUL, which PostgreSQL does not have."""
    return _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
