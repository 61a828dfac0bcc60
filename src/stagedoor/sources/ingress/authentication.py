"""Authenticates an encoder by its stream key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.kernel.errors import Forbidden, Unauthenticated
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.nouns import Ingress, InputType
from stagedoor.sources.ingress.registry import KEY_PREFIX
from stagedoor.storage import Database, GenerationCache, Transaction
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_id


@dataclass(frozen=True, slots=True)
class AuthenticatedIngress:
    """An ingress whose key an encoder has, or that is pulled.

    Attributes:
        digest: The hash of the key; `None` for a pulled URL.
    """

    ingress: Ingress
    app: App
    digest: str | None


class IngressAuthenticator:
    """Finds ingresses by their keys.

    As with API keys, results are cached where this process is the only writer, until an ingress or an app changes.
    """

    def __init__(self, database: Database) -> None:
        self._known = GenerationCache[str, AuthenticatedIngress](database)

    async def authenticate(self, candidates: Sequence[str], input_type: InputType) -> AuthenticatedIngress:
        """The enabled ingress that has one of the keys.

        Args:
            candidates: What may be the key, the likeliest first: people put it into other fields too.
            input_type: The protocol that the encoder speaks.

        Raises:
            Unauthenticated: No ingress has one of them, or it is run by LiveKit's service.
            Forbidden: The ingress is disabled, or of another type.
        """
        for candidate in candidates:
            found = await self._find(candidate.strip())
            if found is None:
                continue
            ingress = found.ingress
            if ingress.input_type != input_type:
                raise Forbidden(
                    f"This key is of an ingress of the type {ingress.input_type}, and came by {input_type}.",
                    code="other_input_type",
                )
            if not ingress.enabled:
                raise Forbidden("This ingress is disabled.", code="ingress_disabled")
            return found
        raise Unauthenticated(
            f"No ingress has this key; send the one that begins with {KEY_PREFIX}."
            if candidates
            else f"No stream key came; send the one that begins with {KEY_PREFIX}.",
            code="bad_stream_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def forget(self) -> None:
        """Clear the cache, because an ingress or an app has changed."""
        self._known.forget()

    async def _find(self, key: str) -> AuthenticatedIngress | None:
        if not key.startswith(KEY_PREFIX):
            return None
        hashed = digest(key)

        def look(tx: Transaction) -> AuthenticatedIngress | None:
            ingress = store.ingress_by_digest(tx, hashed)
            app = None if ingress is None or ingress.engine != "embedded" else app_by_id(tx, ingress.app_id)
            return None if ingress is None or app is None else AuthenticatedIngress(ingress, app, hashed)

        return await self._known.get(hashed, look)
