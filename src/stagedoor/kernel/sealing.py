"""Sealing: encryption of secrets that must be read again, so that the database alone does not give them away."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


class Sealer:
    """Seals bytes with the installation's secret (AES-128-CBC with HMAC-SHA256, as Fernet specifies)."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))

    def seal(self, plain: bytes) -> bytes:
        """The sealed form of `plain`."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes | None:
        """What was sealed; `None` when it was sealed with another secret or was changed."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None
