"""From a secret to a principal, on every request: cached where this process is the only writer."""

from __future__ import annotations

import hmac

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Unauthenticated
from stagedoor.storage import Database, GenerationCache
from stagedoor.tenancy import store
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import ApiKey
from stagedoor.tenancy.principals import OPERATOR, Principal

_TOUCH_EVERY_MS = 60_000


class Authenticator:
    """Knows callers by their secret.

    With SQLite this process is the only writer, so keys are cached and forgotten when one changes. With PostgreSQL
    another node may revoke a key, so each request asks the database.

    Args:
        database: Where the keys are.
        operator_secret: The secret in the data folder that makes its reader the operator.
    """

    def __init__(self, database: Database, operator_secret: str) -> None:
        self._database = database
        self._operator_secret = operator_secret
        self._keys = GenerationCache[str, ApiKey](database)
        self._used: dict[str, int] = {}
        self._touched: dict[str, int] = {}

    async def authenticate(self, secret: str) -> Principal:
        """The caller with this secret.

        Raises:
            Unauthenticated: No key has this secret, or the key has expired.
        """
        if hmac.compare_digest(secret.encode(), self._operator_secret.encode()):
            return OPERATOR
        key = await self._find(digest(secret))
        now = now_ms()
        if key is None or not key.usable(now):
            raise Unauthenticated("This API key is not known, has expired or was revoked.", code="bad_key")
        if now - self._touched.get(key.id, 0) >= _TOUCH_EVERY_MS:
            self._touched[key.id] = self._used[key.id] = now
        return key.principal()

    def forget(self) -> None:
        """Drop what is cached: a key, an app or an organisation has changed."""
        self._keys.forget()

    @property
    def generation(self) -> int:
        """Changes whenever a key, an app or an organisation was changed by this process."""
        return self._keys.generation

    async def record_use(self) -> None:
        """Store when keys were last used."""
        used, self._used = self._used, {}
        if used:
            await self._database.write(lambda tx: store.touch_keys(tx, used))

    async def _find(self, key_digest: str) -> ApiKey | None:
        return await self._keys.get(key_digest, lambda tx: store.key_by_digest(tx, key_digest))
