"""What the first run makes, so that there is something to use at once."""

from __future__ import annotations

from typing import Final

from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.tenancy.scopes import ADMIN

ORGANISATION: Final = "default"
APP: Final = "live"


def make_first(tx: Transaction) -> str | None:
    """Make the organisation, the app and an admin key of the installation; the key's secret, once.

    Returns:
        The secret, or `None` when the installation has an organisation already.
    """
    if store.list_organisations(tx, OPERATOR, after=None, limit=1):
        return None
    organisation = organisations.create(tx, "Default", ORGANISATION)
    apps.create(tx, organisation, APP, "Live", AppSettings())
    _, secret = keys.create(
        tx,
        OPERATOR,
        name="first admin key",
        scopes=[ADMIN],
        organisation_id=None,
        app_id=None,
        expires_at=None,
    )
    return secret
