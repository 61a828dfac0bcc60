"""Which codings of a content a client takes (RFC 9110 §12.5.3)."""

from __future__ import annotations


def accepts(header: str, coding: str) -> bool:
    """Whether `Accept-Encoding` names the coding without a weight of zero."""
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == coding:
            return not any(parameter.replace(" ", "") in _NEVER for parameter in parameters)
    return False


_NEVER = frozenset({"q=0", "q=0.0", "q=0.00", "q=0.000"})
