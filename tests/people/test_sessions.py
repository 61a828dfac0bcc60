"""Users, sessions and links on both engines: what ends a session, what a link does once."""

from __future__ import annotations

import asyncio

import pytest

from stagedoor.kernel.errors import Conflict, Invalid, NotFound, StagedoorError, TooMany, Unauthenticated
from stagedoor.people import link_store, links, session_store, sessions, sign_in, store, users
from stagedoor.people.limits import SignInLimits
from stagedoor.people.nouns import User
from stagedoor.people.passwords import Passwords
from stagedoor.people.sessions import SessionAuthenticator
from stagedoor.people.sign_in import SignIn
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import organisations

DAY = 86_400_000


async def new_user(database: Database, email: str = "ada@example.com") -> User:
    return await database.write(lambda tx: users.create(tx, email=email, name=None, operator=False))


async def opened(database: Database, user: User, instead_of: str | None = None) -> str:
    def begin(tx: Transaction) -> str:
        return sessions.open_session(tx, user.id, address="192.0.2.1", user_agent="x" * 999, instead_of=instead_of)[1]

    return await database.write(begin)


def known(database: Database) -> SessionAuthenticator:
    return SessionAuthenticator(database, 14 * 86_400, 90 * 86_400)


async def is_known(database: Database, secret: str) -> bool:
    try:
        await known(database).authenticate(secret)
    except Unauthenticated:
        return False
    return True


async def test_a_session_is_found_by_its_secret_which_is_not_stored(database: Database) -> None:
    user = await new_user(database)
    organisation = await database.write(lambda tx: organisations.create(tx, "Acme", "acme"))
    await database.write(lambda tx: users.join(tx, user, organisation.id, "member"))
    secret = await opened(database, user)
    found = await known(database).authenticate(secret)
    assert found.user == user
    assert [(one.slug, one.role) for one in found.memberships] == [("acme", "member")]
    (session,) = await database.read(lambda tx: session_store.sessions_of(tx, user.id))
    assert found.credential == session.id
    assert len(session.user_agent) == sessions.LONGEST_USER_AGENT
    for other in ("", secret[:-1], secret + "x", session.id, "\ud800"):
        assert not await is_known(database, other)


async def test_a_sign_in_ends_the_session_that_the_browser_had(database: Database) -> None:
    ada, bob = await new_user(database), await new_user(database, "bob@example.com")
    planted = await opened(database, bob)
    own = await opened(database, ada, instead_of=planted)
    assert await is_known(database, own)
    assert not await is_known(database, planted)


async def test_what_ends_a_session(database: Database) -> None:
    user, other = await new_user(database), await new_user(database, "bob@example.com")
    stranger = await opened(database, other)
    first, second = await opened(database, user), await opened(database, user)
    found = await known(database).authenticate(first)
    with pytest.raises(NotFound):
        await database.write(lambda tx: sessions.revoke(tx, other.id, found.credential))
    await database.write(lambda tx: sessions.revoke(tx, user.id, found.credential))
    assert [await is_known(database, secret) for secret in (first, second)] == [False, True]
    await database.write(lambda tx: sign_in.set_password(tx, user, "hash"))
    assert not await is_known(database, second)
    third = await opened(database, user)
    disabled = await database.write(lambda tx: users.disable(tx, user))
    assert not await is_known(database, third)
    await database.write(lambda tx: users.enable(tx, disabled))
    assert not await is_known(database, third)
    assert await is_known(database, stranger)


async def test_a_session_that_is_old_or_unused_is_over(database: Database) -> None:
    user = await new_user(database)
    secret = await opened(database, user)
    (session,) = await database.read(lambda tx: session_store.sessions_of(tx, user.id))
    over = SessionAuthenticator(database, 14 * 86_400, 0)
    with pytest.raises(Unauthenticated):
        await over.authenticate(secret)
    await database.write(lambda tx: session_store.touch_session(tx, session.id, session.created_at - 15 * DAY))
    assert not await is_known(database, secret)
    assert await database.write(lambda tx: session_store.delete_unused(tx, session.created_at - 14 * DAY, 10)) == 1
    assert await database.read(lambda tx: session_store.sessions_of(tx, user.id)) == []


async def test_use_keeps_a_session(database: Database) -> None:
    user = await new_user(database)
    secret = await opened(database, user)
    (session,) = await database.read(lambda tx: session_store.sessions_of(tx, user.id))
    await database.write(lambda tx: session_store.touch_session(tx, session.id, session.created_at - DAY))
    assert await is_known(database, secret)
    (session,) = await database.read(lambda tx: session_store.sessions_of(tx, user.id))
    assert session.last_used_at >= session.created_at


async def test_a_user_has_so_many_sessions_and_the_oldest_goes(database: Database) -> None:
    user = await new_user(database)
    secrets = [await opened(database, user) for _ in range(sessions.MOST_SESSIONS + 1)]
    assert not await is_known(database, secrets[0])
    assert await is_known(database, secrets[1])
    assert len(await database.read(lambda tx: session_store.sessions_of(tx, user.id))) == sessions.MOST_SESSIONS


async def test_a_link_works_once_and_for_one_of_two_at_the_same_time(database: Database) -> None:
    user = await new_user(database)
    secret, _ = await database.write(lambda tx: links.for_password(tx, user.id))
    assert (await database.read(lambda tx: links.find(tx, secret))).user_id == user.id
    used = await asyncio.gather(
        *(database.write(lambda tx: links.use(tx, secret)) for _ in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in used) == 1
    assert all(isinstance(one, NotFound) for one in used if isinstance(one, BaseException))


async def test_a_new_link_takes_the_place_of_the_one_before(database: Database) -> None:
    user = await new_user(database)
    before, _ = await database.write(lambda tx: links.for_password(tx, user.id))
    after, expires_at = await database.write(lambda tx: links.for_password(tx, user.id))
    with pytest.raises(NotFound):
        await database.read(lambda tx: links.find(tx, before))
    assert await database.write(lambda tx: link_store.delete_expired(tx, expires_at, 10)) == 0
    assert await database.write(lambda tx: link_store.delete_expired(tx, expires_at + 1, 10)) == 1
    with pytest.raises(NotFound):
        await database.read(lambda tx: links.find(tx, after))


async def test_a_link_ends_after_an_hour_and_when_its_user_is_disabled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await new_user(database)
    secret, expires_at = await database.write(lambda tx: links.for_password(tx, user.id))
    monkeypatch.setattr(links, "now_ms", lambda: expires_at - 1)
    assert await database.read(lambda tx: links.find(tx, secret))
    monkeypatch.setattr(links, "now_ms", lambda: expires_at)
    with pytest.raises(NotFound):
        await database.read(lambda tx: links.find(tx, secret))
    monkeypatch.undo()
    secret, _ = await database.write(lambda tx: links.for_password(tx, user.id))
    await database.write(lambda tx: users.disable(tx, user))
    with pytest.raises(NotFound):
        await database.read(lambda tx: links.find(tx, secret))


async def test_two_users_have_two_emails(database: Database) -> None:
    await new_user(database, "Ada@Example.com")
    with pytest.raises(Conflict) as refused:
        await new_user(database, "ada@example.com")
    assert refused.value.code == "email_taken"


async def test_there_are_so_many_users(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MOST_USERS", 1)
    await new_user(database)
    with pytest.raises(TooMany):
        await new_user(database, "bob@example.com")


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.com", "ada@", "ada@exa mple.com", "a\r\nBcc: b@c.d", "ada@example.com\n", "a" * 250]
)
async def test_what_is_no_email_is_refused(database: Database, email: str) -> None:
    if email == "ada@example.com\n":  # blanks around it are taken away
        assert (await new_user(database, email)).email == "ada@example.com"
        return
    with pytest.raises(Invalid):
        await new_user(database, email)


async def test_a_password_that_is_changed_meanwhile_opens_no_session(database: Database) -> None:
    hasher = Passwords()
    user = await new_user(database)
    stored = await hasher.hash("correct horse")
    await database.write(lambda tx: store.set_password(tx, user.id, stored))
    signing = SignIn(database, hasher, SignInLimits("secret"))
    verified = await signing.verify(" ADA@example.com", "correct horse", address="192.0.2.1", browser=None)
    await database.read(lambda tx: sign_in.still(tx, verified))
    await database.write(lambda tx: store.set_password(tx, user.id, "other"))
    with pytest.raises(Unauthenticated):
        await database.read(lambda tx: sign_in.still(tx, verified))
    await hasher.close()


async def test_every_refusal_is_the_same(database: Database) -> None:
    hasher = Passwords()
    stored = await hasher.hash("correct horse")
    for name in ("ada", "disabled", "unset"):
        user = await new_user(database, f"{name}@example.com")
        if name != "unset":
            await database.write(lambda tx, user=user: store.set_password(tx, user.id, stored))
        if name == "disabled":
            await database.write(lambda tx, user=user: users.disable(tx, user))
    signing = SignIn(database, hasher, SignInLimits("secret"))
    said: set[str] = set()
    for email, password in (
        ("ada@example.com", "wrong horse"),
        ("disabled@example.com", "correct horse"),
        ("unset@example.com", "correct horse"),
        ("unknown@example.com", "correct horse"),
    ):
        with pytest.raises(StagedoorError) as refused:
            await signing.verify(email, password, address="192.0.2.1", browser=None)
        assert isinstance(refused.value, Unauthenticated)
        said.add(str(refused.value.document()) + str(refused.value.headers))
    assert len(said) == 1
    await hasher.close()


async def test_an_outdated_hash_is_renewed_at_a_sign_in(database: Database) -> None:
    from argon2 import PasswordHasher

    hasher = Passwords()
    user = await new_user(database)
    weak = PasswordHasher(time_cost=1, memory_cost=8192).hash("correct horse")
    await database.write(lambda tx: store.set_password(tx, user.id, weak))
    signing = SignIn(database, hasher, SignInLimits("secret"))
    verified = await signing.verify(user.email, "correct horse", address="192.0.2.1", browser=None)
    assert not hasher.outdated(verified.password_hash)
    assert await database.read(lambda tx: store.password_of(tx, user.id)) == verified.password_hash
    await hasher.close()
