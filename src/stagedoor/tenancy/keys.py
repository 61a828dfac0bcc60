"""API keys: shown once, stored as a hash, revocable at once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Forbidden, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.storage import Transaction
from stagedoor.tenancy import store
from stagedoor.tenancy.nouns import ApiKey
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import SCOPES, expand

MOST_KEYS: Final = 1_000
"""Of an organisation, and of the installation itself."""

KEY_PREFIX: Final = "sk_"


def digest(secret: str) -> str:
    """The hash that is stored. The secret has 256 bits of chance, so a fast hash is the right one."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    tx: Transaction,
    creator: Principal,
    *,
    name: str,
    scopes: Sequence[str],
    organisation_id: str | None,
    app_id: str | None,
    expires_at: int | None,
) -> tuple[ApiKey, str]:
    """Create a key; the second value is the secret, which cannot be had again.

    Without an expiry of its own the key ends with its creator's.

    Raises:
        Forbidden: The creator would give more than they have, or for longer.
        Invalid: A scope is unknown, or the expiry is past.
        TooMany: There are as many keys as there may be.
    """
    _check_scopes(creator, scopes)
    if creator.organisation_id is not None and organisation_id != creator.organisation_id:
        raise Forbidden("A key can only make keys within its own bounds.", code="beyond_own_bounds")
    if creator.app_id is not None and app_id != creator.app_id:
        raise Forbidden("A key can only make keys within its own bounds.", code="beyond_own_bounds")
    expires_at = creator.expires_at if expires_at is None else expires_at
    _check_expiry(creator, expires_at)
    if store.count_keys(tx, organisation_id) >= MOST_KEYS:
        raise TooMany(
            f"An organisation may have {MOST_KEYS} API keys; revoke those that are not used.",
            code="too_many_keys",
            extra={"limit": MOST_KEYS},
        )
    secret = f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"
    key = ApiKey(
        new_id("key"),
        name,
        secret[-4:],
        tuple(sorted(set(scopes))),
        organisation_id,
        app_id,
        now_ms(),
        expires_at,
    )
    store.insert_key(tx, key, digest(secret))
    return key, secret


def get(tx: Transaction, principal: Principal, key_id: str) -> ApiKey:
    """The key with this id.

    Raises:
        NotFound: There is none, or the caller may not know of it.
    """
    key = store.find_key(tx, principal, key_id)
    if key is None:
        raise NotFound("There is no such key.", code="key_not_found")
    return key


def update(
    tx: Transaction,
    principal: Principal,
    key_id: str,
    *,
    name: str | None,
    scopes: Sequence[str] | None,
    expires_at: int | None,
    change_expiry: bool,
) -> ApiKey:
    """Change the name, the scopes or the expiry.

    Raises:
        Forbidden: The key may do more than the caller, or would: what the caller gives ends with the caller's key.
    """
    before = get(tx, principal, key_id)
    _check_weaker(principal, before)
    if scopes is not None:
        _check_scopes(principal, scopes)
    if change_expiry and expires_at != before.expires_at:
        _check_expiry(principal, expires_at)
    after = replace(
        before,
        name=name or before.name,
        scopes=before.scopes if scopes is None else tuple(sorted(set(scopes))),
        expires_at=expires_at if change_expiry else before.expires_at,
    )
    more = not expand(frozenset(after.scopes)) <= expand(frozenset(before.scopes))
    if more and principal.outlived_by(after.expires_at):
        raise Forbidden("A key cannot give scopes to a key that lives longer than itself.", code="beyond_own_expiry")
    store.update_key(tx, after)
    return after


def revoke(tx: Transaction, principal: Principal, key_id: str) -> ApiKey:
    """End the key, and return what it was; from the next request on it opens nothing."""
    key = get(tx, principal, key_id)
    _check_weaker(principal, key)
    store.delete_key(tx, key.id)
    return key


def _check_weaker(principal: Principal, key: ApiKey) -> None:
    if not principal.covers(frozenset(key.scopes)):
        raise Forbidden("A key cannot change or revoke a key that may do more than itself.", code="beyond_own_scopes")


def _check_scopes(creator: Principal, scopes: Sequence[str]) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise Invalid(f"There is no scope {unknown[0]!r}.", code="unknown_scope", extra={"scopes": sorted(SCOPES)})
    if not scopes:
        raise Invalid("A key needs at least one scope.", code="no_scope")
    if not creator.covers(frozenset(scopes)):
        raise Forbidden("A key can only give scopes that it has itself.", code="beyond_own_scopes")


def _check_expiry(creator: Principal, expires_at: int | None) -> None:
    if expires_at is not None and expires_at <= now_ms():
        raise Invalid("expiresAt is in the past.", code="already_expired")
    if creator.outlived_by(expires_at):
        raise Forbidden(
            f"A key cannot let a key live longer than itself, which ends at {rfc3339(creator.expires_at or 0)}.",
            code="beyond_own_expiry",
        )
