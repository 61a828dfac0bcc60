"""Sealing: encryption of secrets that must be read again, so that the database alone does not give them away."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Sealer:
    """Seals bytes with the installation's secret (AES-128-CBC with HMAC-SHA256, as Fernet specifies)."""

    def __init__(self, secret: str) -> None:
        self._key = base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest())

    @cached_property
    def _fernet(self) -> Fernet:
        from cryptography.fernet import Fernet  # not at the start, which it would make a fifth longer

        return Fernet(self._key)

    def seal(self, plain: bytes) -> bytes:
        """The sealed form of `plain`."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes | None:
        """What was sealed; `None` when it was sealed with another secret or was changed."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None
