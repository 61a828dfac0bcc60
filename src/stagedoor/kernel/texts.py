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

CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Characters that act on a terminal or on the line they stand in, as in a regular expression's class: the controls C0
and C1, both separators, and what overrides or isolates the direction of writing."""

_CONTROL: Final = re.compile(f"[{CONTROLS}\ud800-\udfff]")
_CONTROL_OR_BREAK: Final = re.compile(f"(?![\t\n])[{CONTROLS}\ud800-\udfff]")

_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text that every encoder and every database takes: without the halves of surrogate pairs, which UTF-8 does not
    have, and without NUL, which PostgreSQL does not have."""
    return _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(text: str, *, lines: bool = False) -> str:
    """Text that can be shown on a terminal or in a log: each control as an escape such as `\\x1b`.

    Args:
        text: What another party wrote.
        lines: Keep tabs and line feeds.
    """
    return (_CONTROL_OR_BREAK if lines else _CONTROL).sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


SHOWS_NOTHING: Final = "it shows nothing; give it a letter, a digit or a sign"
"""What a caller reads of such a text, behind the name of its field."""


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
