"""Texts that others wrote: what can be stored of them, what a person can see of them, and what is no text."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from stagedoor.kernel.errors import BadRequest, Invalid, Problem

_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that Unicode counts among letters, marks or symbols and that show nothing: the fillers of Hangul, the
empty Braille pattern, the joiner of graphemes, two vowels of Khmer that are never written."""

_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text that every encoder and every database takes: without the halves of surrogate pairs, which UTF-8 does not
    have, and without NUL, which PostgreSQL does not have."""
    return _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shows_nothing(text: str) -> bool:
    """True when the text shows nothing: it is empty, or has blanks, controls and formatting only."""
    return not any(_seen(character) for character in text)


def _seen(character: str) -> bool:
    return (
        unicodedata.category(character)[0] not in "ZC"
        and character not in _UNSEEN
        and not "\ufe00" <= character <= "\ufe0f"  # they choose how the character before them looks
        and not "\U000e0100" <= character <= "\U000e01ef"
    )


def unreadable(body: bytes) -> Problem:
    """What is wrong with a body that msgspec cannot read as JSON.

    JSON lets a text hold half of a surrogate pair (RFC 8259 §8.2), which is no character and can be stored nowhere.
    """
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return BadRequest("The body is not JSON.", code="not_json")
    return Invalid(
        "A text in the body has half of a surrogate pair (\\ud800 to \\udfff), which is no character.",
        code="validation_failed",
    )
