"""Users: made, found, changed, disabled."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.wording import form
from stagedoor.people import link_store, session_store, store
from stagedoor.people.nouns import Role, User
from stagedoor.storage import Transaction

EMAIL: Final = form(
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    "it is an e-mail address such as ada@example.com",
)
"""As browsers check `<input type=email>`. It holds no line break, so no address can add a header to an e-mail."""

LOCALE: Final = form(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", "it is a language such as en or de-AT")
PICTURE: Final = form(r"^https://[!-~]{1,2000}$", "it is a URL that begins with https://")

MOST_USERS: Final = 100_000
"""Of the installation."""


def address_of(email: str) -> str:
    """The e-mail as it is stored and compared: in lower case."""
    return email.strip().lower()


def checked(email: str) -> str:
    """The same of an e-mail that a caller wrote.

    Raises:
        Invalid: It is no e-mail.
    """
    address = address_of(email)
    if len(address) > 254 or not re.fullmatch(EMAIL, address):
        raise Invalid("email: it is an e-mail address such as ada@example.com.", code="bad_email")
    return address


def create(tx: Transaction, *, email: str, name: str | None, operator: bool) -> User:
    """Create a user, who has no password yet.

    Raises:
        Conflict: Another user has the e-mail.
        TooMany: There are as many users as there may be.
    """
    address = checked(email)
    if store.count_users(tx) >= MOST_USERS:
        raise TooMany(f"There may be {MOST_USERS} users.", code="too_many_users", extra={"limit": MOST_USERS})
    now = now_ms()
    shown = name or address.partition("@")[0]
    user = User(new_id("usr"), address, shown, None, None, None, operator, None, now, now)
    if not store.insert_user(tx, user):
        raise Conflict(f"There is a user with the e-mail {address} already.", code="email_taken")
    return user


def join(tx: Transaction, user: User, organisation_id: str, role: Role) -> None:
    """Make the user a member of an organisation that the user does not belong to yet."""
    store.insert_membership(tx, user.id, organisation_id, role, now_ms())


def get(tx: Transaction, reference: str) -> User:
    """The user with this id or e-mail.

    Raises:
        NotFound: There is none.
    """
    user = store.find_user(tx, address_of(reference) if "@" in reference else reference)
    if user is None:
        raise NotFound("There is no such user.", code="user_not_found")
    return user


def update(tx: Transaction, user: User, changes: dict[str, Any]) -> User:
    """Change name, picture, locale, time zone or the operator flag; what is not among the changes stays.

    Raises:
        Invalid: There is no such time zone.
    """
    zone = changes.get("time_zone")
    if zone is not None and zone not in _time_zones():
        raise Invalid(f"timeZone: there is no time zone {zone!r}; write one such as Europe/Vienna.", code="bad_zone")
    after = replace(user, **changes, updated_at=now_ms())
    store.update_user(tx, after)
    return after


def disable(tx: Transaction, user: User) -> User:
    """Keep the user from signing in, end every session, and take back the links that set the password."""
    session_store.delete_sessions(tx, user.id)
    link_store.delete_links_of(tx, user.id)
    after = replace(user, disabled_at=user.disabled_at or now_ms(), updated_at=now_ms())
    store.update_user(tx, after)
    return after


def enable(tx: Transaction, user: User) -> User:
    """Let a disabled user sign in again, with the password of before."""
    after = replace(user, disabled_at=None, updated_at=now_ms())
    store.update_user(tx, after)
    return after


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
