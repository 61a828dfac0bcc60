"""Secrets of people's credentials: 256 bits of chance, of which the database has the hash."""

from __future__ import annotations

import hashlib
import secrets


def new_secret(prefix: str = "") -> str:
    """A new one."""
    return f"{prefix}{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """The hash that is stored. The secret cannot be guessed, so a fast hash is the right one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
