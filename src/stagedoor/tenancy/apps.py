"""Apps: namespaces of rooms inside an organisation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.wording import form
from stagedoor.storage import Transaction
from stagedoor.tenancy import store
from stagedoor.tenancy.nouns import App, AppSettings, Organisation
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.token_settings import TokenSettings

SLUG_PATTERN: Final = form(
    r"^[a-z0-9_]{1,32}$", "it has lower-case letters, digits and _ only, 32 at the most, and no hyphen"
)
"""No hyphen: the first hyphen of a LiveKit room name ends the app's slug."""


MOST_APPS: Final = 1_000
"""Of an organisation."""


def create(tx: Transaction, organisation: Organisation, slug: str, name: str | None, settings: AppSettings) -> App:
    """Create an app.

    Raises:
        Invalid: The slug is not of the form.
        Conflict: The slug is taken, or was another organisation's until lately.
        TooMany: The organisation has as many apps as it may.
    """
    if not re.fullmatch(SLUG_PATTERN, slug):
        raise Invalid("An app's slug has lower-case letters, digits and _ only, 32 at the most.", code="bad_slug")
    now = now_ms()
    until = store.slug_reserved_until(tx, slug, organisation.id)
    if until is not None and until > now:
        raise Conflict(
            f"Another organisation had an app {slug!r} and tokens for its rooms may live until {rfc3339(until)}.",
            code="slug_reserved",
        )
    if store.count_apps(tx, organisation.id) >= MOST_APPS:
        raise TooMany(f"An organisation may have {MOST_APPS} apps.", code="too_many_apps", extra={"limit": MOST_APPS})
    app = App(new_id("app"), organisation.id, slug, name or slug, now, now, settings)
    if not store.insert_app(tx, app):
        raise Conflict(f"An app with the slug {slug!r} exists already.", code="slug_taken")
    return app


def get(tx: Transaction, principal: Principal, reference: str) -> App:
    """The app with this slug or id.

    Raises:
        NotFound: There is none, or the caller may not know of it.
    """
    app = store.find_app(tx, principal, reference)
    if app is None:
        raise NotFound("There is no such app.", code="app_not_found")
    return app


def update(
    tx: Transaction, principal: Principal, reference: str, *, name: str | None, settings: AppSettings | None
) -> App:
    """Change the name or the settings."""
    before = get(tx, principal, reference)
    after = replace(before, name=name or before.name, settings=settings or before.settings, updated_at=now_ms())
    if _longest_life(after) < _longest_life(before):
        _keep_slug(tx, before)  # tokens of the longer life are out there
    store.update_app(tx, after)
    return after


def delete(tx: Transaction, app: App) -> None:
    """Delete the app with everything in it, and keep its slug from other organisations while tokens may live."""
    _keep_slug(tx, app)
    store.delete_app(tx, app.id)


def _keep_slug(tx: Transaction, app: App) -> None:
    store.reserve_slug(tx, app.slug, app.organisation_id, now_ms() + _longest_life(app) * 1000)


def _longest_life(app: App) -> int:
    return app.settings.of(TokenSettings).max_token_ttl
