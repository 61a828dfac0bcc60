"""Keys: their hash is stored and their secret never; they are cached and forgotten in time."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from stagedoor.storage import Database, Transaction
from stagedoor.storage.records import record
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.nouns import ApiKey, AppSettings
from stagedoor.tenancy.principals import OPERATOR, Principal


async def make(database: Database, *scopes: str, **fields: Any) -> tuple[ApiKey, str]:
    given = {"organisation_id": None, "app_id": None, "expires_at": None} | fields
    return await database.write(lambda tx: keys.create(tx, OPERATOR, name="x", scopes=scopes, **given))


async def test_the_hash_is_stored_and_the_secret_is_not(database: Database) -> None:
    key, secret = await make(database, "apps:read")
    rows = await database.read(lambda tx: [record(row) for row in tx.execute(select(store.api_keys))])
    (row,) = rows
    assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)
    assert secret[:-4] not in str(row)
    assert secret not in repr(key)
    assert key.hint == secret[-4:]
    assert len(secret) >= 40


async def test_secrets_are_all_different(database: Database) -> None:
    secrets = {(await make(database, "apps:read"))[1] for _ in range(50)}
    assert len(secrets) == 50


async def test_a_secret_is_known_exactly(database: Database) -> None:
    key, secret = await make(database, "apps:write")
    authenticator = Authenticator(database, "operator-secret")
    caller = await authenticator.authenticate(secret)
    assert (caller.key_id, caller.scopes) == (key.id, {"apps:read", "apps:write"})
    assert await authenticator.authenticate("operator-secret") is OPERATOR
    for wrong in ("", "sk_", secret[:-1], secret + "x", secret.upper(), key.id, keys.digest(secret), "é", "\x00"):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(wrong)


async def test_a_revoked_key_is_forgotten_at_once(database: Database) -> None:
    key, secret = await make(database, "apps:read")
    authenticator = Authenticator(database, "operator-secret")
    await authenticator.authenticate(secret)

    def drop(tx: Transaction) -> None:
        keys.revoke(tx, OPERATOR, key.id)
        tx.after_commit(authenticator.forget)

    await database.write(drop)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(secret)


async def test_a_cached_key_expires(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = await make(database, "apps:read", expires_at=now_ms() + 60_000)
    authenticator = Authenticator(database, "operator-secret")
    await authenticator.authenticate(secret)
    later = now_ms() + 60_001
    monkeypatch.setattr("stagedoor.tenancy.authentication.now_ms", lambda: later)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(secret)


async def test_the_last_use_is_recorded(database: Database) -> None:
    key, secret = await make(database, "apps:read")
    authenticator = Authenticator(database, "operator-secret")
    before = now_ms()
    await authenticator.authenticate(secret)
    await authenticator.record_use()
    found = await database.read(lambda tx: keys.get(tx, OPERATOR, key.id))
    assert before <= (found.last_used_at or 0) <= now_ms()


@pytest.mark.parametrize(("scopes", "error"), [([], Invalid), (["none"], Invalid), (["admin"], Forbidden)])
async def test_scopes_that_can_not_be_given(database: Database, scopes: list[str], error: type[Exception]) -> None:
    weak = Principal("key_weak", frozenset({"keys:write", "keys:read"}))
    with pytest.raises(error):
        await database.write(
            lambda tx: keys.create(
                tx, weak, name="x", scopes=scopes, organisation_id=None, app_id=None, expires_at=None
            )
        )


async def test_bounds_are_not_left(database: Database) -> None:
    def look(tx: Transaction) -> None:
        one, other = organisations.create(tx, "One", None), organisations.create(tx, "Other", None)
        app = apps.create(tx, one, "one", None, AppSettings())
        bound = Principal("key_bound", OPERATOR.scopes, one.id, app.id)
        for organisation_id, app_id in ((None, None), (other.id, None), (one.id, None), (one.id, "app_other")):
            with pytest.raises(Forbidden):
                keys.create(
                    tx,
                    bound,
                    name="x",
                    scopes=["apps:read"],
                    organisation_id=organisation_id,
                    app_id=app_id,
                    expires_at=None,
                )

    await database.write(look)


async def test_an_unknown_key_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        await database.write(lambda tx: keys.revoke(tx, OPERATOR, "key_none"))
