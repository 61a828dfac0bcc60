"""Signing in by password, and setting one: hashing is done outside of transactions, and what counts checked inside."""

from __future__ import annotations

from dataclasses import dataclass

from stagedoor.kernel.errors import Conflict, TooMany, Unauthenticated, Unavailable
from stagedoor.people import session_store, store, users
from stagedoor.people.limits import Attempt, SignInLimits
from stagedoor.people.metrics import SIGN_INS
from stagedoor.people.nouns import User
from stagedoor.people.passwords import Passwords
from stagedoor.storage import Database, Transaction


@dataclass(frozen=True, slots=True)
class Verified:
    """A user whose password was right.

    Attributes:
        password_hash: The hash that it was compared with.
        known_browser: The value for the cookie that makes the browser known.
    """

    user: User
    password_hash: str
    known_browser: str


class SignIn:
    """Verifies passwords.

    Args:
        database: Where the users are.
        passwords: Hashes and compares.
        limits: How often it may fail.
    """

    def __init__(self, database: Database, passwords: Passwords, limits: SignInLimits) -> None:
        self._database = database
        self._passwords = passwords
        self._limits = limits

    async def verify(self, email: str, password: str, *, address: str, browser: str | None) -> Verified:
        """The user with this e-mail and password.

        An unknown e-mail, a wrong password, a user without one and a disabled user are answered alike.

        Raises:
            Unauthenticated: There is none.
            TooMany: Too many attempts failed.
        """
        wanted = users.address_of(email)
        attempt = self.begin(wanted, address, browser)
        found = await self._database.read(lambda tx: store.user_with_password(tx, wanted))
        user, stored = (None, None) if found is None else found
        try:
            right = await self._passwords.verify(stored, password)
        except Unavailable:
            attempt.forget()
            raise
        if not right or user is None or stored is None or user.disabled_at is not None:
            SIGN_INS.labels("refused").inc()
            raise Unauthenticated("The e-mail or the password is wrong.", code="wrong_credentials")
        attempt.forget()
        SIGN_INS.labels("accepted").inc()
        if self._passwords.outdated(stored):
            stored = await self._renewed(user, stored, password)
        return Verified(user, stored, self._limits.known_browser(user.email))

    def begin(self, email: str, address: str, browser: str | None) -> Attempt:
        """Count an attempt, which is forgotten when it succeeds.

        Raises:
            TooMany: Too many attempts failed.
        """
        try:
            return self._limits.begin(email, address, browser)
        except TooMany:
            SIGN_INS.labels("limited").inc()
            raise

    def known_browser(self, email: str) -> str:
        """The value for the cookie that makes a browser known."""
        return self._limits.known_browser(email)

    async def _renewed(self, user: User, stored: str, password: str) -> str:
        """Store a hash with the parameters of now, unless the password was changed meanwhile."""
        made = await self._passwords.hash(password)

        def renew(tx: Transaction) -> str:
            if store.password_of(tx, user.id) == stored:
                store.set_password(tx, user.id, made)
                return made
            return stored

        return await self._database.write(renew)


def still(tx: Transaction, verified: Verified) -> None:
    """Raise `Unauthenticated` when the password was changed or the user disabled since it was verified."""
    user = store.find_user(tx, verified.user.id)
    if user is None or user.disabled_at is not None or store.password_of(tx, user.id) != verified.password_hash:
        raise Unauthenticated("The e-mail or the password is wrong.", code="wrong_credentials")


def set_password(tx: Transaction, user: User, password_hash: str) -> None:
    """Set the password, and end every session of the user.

    Raises:
        Conflict: The user is disabled.
    """
    if user.disabled_at is not None:
        raise Conflict("This account is disabled.", code="user_disabled")
    store.set_password(tx, user.id, password_hash)
    session_store.delete_sessions(tx, user.id)
