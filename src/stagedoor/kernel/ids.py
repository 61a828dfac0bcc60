"""Prefixed, sortable identifiers: `ses_01JD…`, 48 bits of time and 80 of chance, as in a ULID."""

from __future__ import annotations

import secrets

from stagedoor.kernel.clock import now_ms

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, in ascending ASCII order
_LENGTH = 26


def new_id(prefix: str) -> str:
    """A new identifier such as `app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC`; later ones sort after earlier ones."""
    value = (now_ms() << 80) | secrets.randbits(80)
    digits = [_ALPHABET[(value >> shift) & 31] for shift in range((_LENGTH - 1) * 5, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
