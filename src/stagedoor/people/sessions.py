"""Sign-in sessions: opened by a sign-in, found by their secret, ended by sign-out, by age and by a new password."""

from __future__ import annotations

from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, Unauthenticated
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.texts import storable
from stagedoor.people import session_store, store
from stagedoor.people.nouns import SignedIn, SignInSession
from stagedoor.people.secrets import digest, new_secret
from stagedoor.storage import Database, Transaction

MOST_SESSIONS: Final = 100
"""Of a user; a further one ends the oldest."""

LONGEST_USER_AGENT: Final = 200
_TOUCH_EVERY_MS: Final = 60_000


def open_session(
    tx: Transaction, user_id: str, *, address: str, user_agent: str, instead_of: str | None
) -> tuple[SignInSession, str]:
    """Open a session; the second value is its secret, for the cookie.

    Args:
        tx: The transaction in which the password was found to be the user's still.
        user_id: Whose it is.
        address: Where the sign-in comes from.
        user_agent: What the browser calls itself.
        instead_of: The secret of the session that the browser had, which ends: a secret from before a sign-in, which
            another may have planted, opens nothing after it.
    """
    if instead_of is not None:
        before = session_store.session_by_digest(tx, digest(instead_of))
        if before is not None:
            session_store.delete_session(tx, before.user_id, before.id)
    for oldest in session_store.sessions_of(tx, user_id)[MOST_SESSIONS - 1 :]:
        session_store.delete_session(tx, user_id, oldest.id)
    now = now_ms()
    shown = storable(user_agent[:LONGEST_USER_AGENT])
    session = SignInSession(new_id("sis"), user_id, now, now, address, shown)
    secret = new_secret()
    session_store.insert_session(tx, session, digest(secret))
    return session, secret


def revoke(tx: Transaction, user_id: str, session_id: str) -> None:
    """End a session of the user.

    Raises:
        NotFound: The user has no such session.
    """
    if not session_store.delete_session(tx, user_id, session_id):
        raise NotFound("There is no such session.", code="sign_in_session_not_found")


class SessionAuthenticator:
    """Knows users by the secret of a session.

    Args:
        database: Where the sessions are. It is asked each time, so what another node ended is over here too.
        idle_seconds: A session that was not used for so long is over.
        age_seconds: So is one that is so old.
    """

    def __init__(self, database: Database, idle_seconds: int, age_seconds: int) -> None:
        self._database = database
        self._idle_ms = idle_seconds * 1000
        self._age_ms = age_seconds * 1000

    async def authenticate(self, secret: str) -> SignedIn:
        """The user whose session has this secret.

        Raises:
            Unauthenticated: There is no such session, it is over, or its user is disabled.
        """
        hashed, now = digest(secret), now_ms()

        def find(tx: Transaction) -> tuple[SignInSession, SignedIn] | None:
            session = session_store.session_by_digest(tx, hashed)
            user = None if session is None else store.find_user(tx, session.user_id)
            if session is None or user is None or user.disabled_at is not None:
                return None
            return session, SignedIn(user, store.memberships_of(tx, user.id), session.id)

        found = await self._database.read(find)
        if found is None or self._is_over(found[0], now):
            raise Unauthenticated("You are not signed in any more; sign in again.", code="session_ended")
        session, signed_in = found
        if now - session.last_used_at >= _TOUCH_EVERY_MS:
            await self._database.write(lambda tx: session_store.touch_session(tx, session.id, now))
        return signed_in

    def _is_over(self, session: SignInSession, now: int) -> bool:
        return now - session.last_used_at >= self._idle_ms or now - session.created_at >= self._age_ms
