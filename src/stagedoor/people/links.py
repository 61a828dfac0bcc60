"""Account links: they work once and for a while, and are stored as a hash."""

from __future__ import annotations

from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound
from stagedoor.kernel.ids import new_id
from stagedoor.people import link_store
from stagedoor.people.nouns import AccountLink
from stagedoor.people.secrets import digest, new_secret
from stagedoor.storage import Transaction

LINK_SECONDS: Final = 3_600
"""For which a link works."""


def for_first_owner(tx: Transaction, organisation_id: str) -> str:
    """A link that makes the account of the first owner; its secret."""
    return _make(tx, AccountLink(new_id("lnk"), "first_owner", None, organisation_id, now_ms(), _end()))


def for_password(tx: Transaction, user_id: str) -> tuple[str, int]:
    """A link that sets the password of a user, instead of earlier ones; its secret, and when it ends."""
    link_store.delete_links_of(tx, user_id)
    link = AccountLink(new_id("lnk"), "password", user_id, None, now_ms(), _end())
    return _make(tx, link), link.expires_at


def find(tx: Transaction, secret: str) -> AccountLink:
    """The link with this secret.

    Raises:
        NotFound: There is none, it was used, or it has expired.
    """
    link = link_store.link_by_digest(tx, digest(secret))
    if link is None or link.expires_at <= now_ms():
        raise _gone()
    return link


def use(tx: Transaction, secret: str) -> AccountLink:
    """The same, which works no more from then on."""
    link = find(tx, secret)
    if not link_store.delete_link(tx, link.id):
        raise _gone()
    return link


def _make(tx: Transaction, link: AccountLink) -> str:
    secret = new_secret("lnk_")
    link_store.insert_link(tx, link, digest(secret))
    return secret


def _end() -> int:
    return now_ms() + LINK_SECONDS * 1000


def _gone() -> NotFound:
    return NotFound("This link was used, has expired or was never made; ask for another.", code="link_not_found")
