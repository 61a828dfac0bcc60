"""Personal access tokens: a user's own credential for programs, never wider than the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from stagedoor.kernel.ids import new_id
from stagedoor.people import store, token_store
from stagedoor.people.nouns import PersonalAccessToken, SignedIn
from stagedoor.people.secrets import digest, new_secret
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import SCOPES

PERSONAL_PREFIX: Final = "pat_"

MOST_TOKENS: Final = 100
"""Of a user."""

_TOUCH_EVERY_MS: Final = 60_000


def create(
    tx: Transaction, user: Principal, *, name: str, scopes: Sequence[str], expires_at: int | None
) -> tuple[PersonalAccessToken, str]:
    """Create a token for where the user acts now; the second value is the secret, which cannot be had again.

    Raises:
        Forbidden: The user lacks a scope.
        Invalid: A scope is unknown, or the expiry is past.
        TooMany: The user has as many tokens as there may be.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise Invalid(f"There is no scope {unknown[0]!r}.", code="unknown_scope", extra={"scopes": sorted(SCOPES)})
    if not user.covers(frozenset(scopes)):
        raise Forbidden("A token can only have scopes that you have yourself.", code="beyond_own_scopes")
    now = now_ms()
    if expires_at is not None and expires_at <= now:
        raise Invalid("expiresAt is in the past.", code="already_expired")
    if token_store.count_tokens(tx, user.key_id) >= MOST_TOKENS:
        raise TooMany(f"A user may have {MOST_TOKENS} tokens.", code="too_many_tokens", extra={"limit": MOST_TOKENS})
    secret = new_secret(PERSONAL_PREFIX)
    token = PersonalAccessToken(
        new_id("tok"),
        user.key_id,
        user.organisation_id,
        name,
        secret[-4:],
        tuple(sorted(set(scopes))),
        now,
        expires_at,
        None,
    )
    token_store.insert_token(tx, token, digest(secret))
    return token, secret


def revoke(tx: Transaction, user_id: str, token_id: str) -> None:
    """End a token of the user.

    Raises:
        NotFound: The user has no such token.
    """
    if not token_store.delete_token(tx, user_id, token_id):
        raise NotFound("There is no such token.", code="access_token_not_found")


class TokenAuthenticator:
    """Knows users by the secret of a token.

    Args:
        database: Where the tokens are. It is asked each time, so what another node ended is over here too.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, secret: str) -> tuple[SignedIn, PersonalAccessToken]:
        """The user whose token has this secret, and the token.

        Raises:
            Unauthenticated: There is no such token, it has expired, or its user is disabled or has left where it acts.
        """
        hashed, now = digest(secret), now_ms()

        def find(tx: Transaction) -> tuple[SignedIn, PersonalAccessToken] | None:
            token = token_store.token_by_digest(tx, hashed)
            user = None if token is None else store.find_user(tx, token.user_id)
            if token is None or user is None or user.disabled_at is not None or not token.usable(now):
                return None
            return SignedIn(user, store.memberships_of(tx, user.id), token.id), token

        found = await self._database.read(find)
        if found is None or not _belongs(*found):
            raise Unauthenticated("This token is not known, has expired or was revoked.", code="bad_token")
        token = found[1]
        if now - (token.last_used_at or 0) >= _TOUCH_EVERY_MS:
            await self._database.write(lambda tx: token_store.touch_token(tx, token.id, now))
        return found


def _belongs(signed_in: SignedIn, token: PersonalAccessToken) -> bool:
    """Whether the user still belongs to the organisation of the token, or operates the installation."""
    if signed_in.user.operator:
        return True
    return token.organisation_id in {one.organisation_id for one in signed_in.memberships}
