"""Passwords: argon2id, in threads of its own, so many at a time."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from stagedoor.kernel.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

SHORTEST: Final = 10
LONGEST: Final = 200
"""Characters of a password. There is no rule about kinds of characters: NIST SP 800-63B advises against them."""

THREADS: Final = 2
"""Passwords that are hashed at a time. Each takes 64 MiB and about 50 ms of a core."""

MOST_WAITING: Final = 50


def check(password: str, email: str) -> None:
    """Raise `Invalid` unless a user may have this password."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.", code="bad_password")
    if password.strip().lower() in {email, email.partition("@")[0]} or len(set(password)) < 4:
        raise Invalid("This password is too easy to guess; choose another.", code="bad_password")


class Passwords:
    """Hashes passwords and compares them, with argon2id as RFC 9106 recommends it for little memory.

    A password that belongs to no account is compared as well, with a hash of chance: how long the answer takes does
    not say whether there is an account.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            Unavailable: Too many wait for theirs.
        """
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password has this hash; no password has `None`.

        Raises:
            Unavailable: Too many wait for theirs.
        """
        return await self._run(lambda: self._verify(stored, password))

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with weaker parameters than those of now."""
        return self._hasher.check_needs_rehash(stored)

    async def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        other = self._of_nothing  # made in either case, or the first unknown account would take twice the time
        try:
            return self._hasher.verify(stored or other, _normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher  # not at the start, which it would make longer

        return PasswordHasher()

    @cached_property
    def _of_nothing(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable(
                "Too many sign-ins are under way; try again shortly.",
                code="too_many_sign_ins_under_way",
                headers={"Retry-After": "2"},
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _normal(password: str) -> bytes:
    """One form of what keyboards write in several; half a surrogate pair stays what it is."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
