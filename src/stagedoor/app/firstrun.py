"""What the first run makes, so that there is something to use at once."""

from __future__ import annotations

from typing import Final

from stagedoor.audit import store as trail
from stagedoor.people import links
from stagedoor.people import store as people
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.tenancy.scopes import ADMIN

ORGANISATION: Final = "default"
APP: Final = "live"
_MADE: Final = "key.created"


def make_first(tx: Transaction) -> None:
    """Make the organisation and the app, in an installation that has no organisation."""
    if not store.list_organisations(tx, OPERATOR, after=None, limit=1):
        organisation = organisations.create(tx, "Default", ORGANISATION)
        apps.create(tx, organisation, APP, "Live", AppSettings())


def make_first_link(tx: Transaction) -> str | None:
    """Make a link for the account of the first owner, who operates the installation; its secret.

    `None` where there is a user, or no first organisation any more.
    """
    organisation = store.find_organisation(tx, OPERATOR, ORGANISATION)
    if organisation is None or people.count_users(tx):
        return None
    return links.for_first_owner(tx, organisation.id)


def make_first_key(tx: Transaction) -> str | None:
    """Make an admin key of the installation, once in its life; its secret, or `None` when that was done.

    It is made last, when nothing can fail any more between its making and its showing: a first run that is refused a
    port, or is ended while LiveKit is built, must not use it up.
    """
    if trail.was_done_by_system(tx, _MADE):
        return None
    key, secret = keys.create(
        tx,
        OPERATOR,
        name="first admin key",
        scopes=[ADMIN],
        organisation_id=None,
        app_id=None,
        expires_at=None,
    )
    trail.note(tx, None, _MADE, key.id, organisation_id=None)
    return secret
