"""Organisations: the tenants. Nothing crosses from one to another."""

from __future__ import annotations

import re
from dataclasses import replace

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.kernel.ids import new_id
from stagedoor.storage import Transaction
from stagedoor.tenancy import store
from stagedoor.tenancy.nouns import App, Organisation
from stagedoor.tenancy.principals import Principal


def slug_from(name: str) -> str:
    """A slug for a name: `Acme & Sons` becomes `acme-sons`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-") or "organisation"


def create(tx: Transaction, name: str, slug: str | None) -> Organisation:
    """Create an organisation.

    Raises:
        Conflict: The slug is taken.
    """
    organisation = Organisation(new_id("org"), name, slug or slug_from(name), now_ms(), now_ms())
    if not store.insert_organisation(tx, organisation):
        raise Conflict(f"An organisation with the slug {organisation.slug!r} exists already.", code="slug_taken")
    return organisation


def get(tx: Transaction, principal: Principal, reference: str) -> Organisation:
    """The organisation with this id or slug.

    Raises:
        NotFound: There is none, or the caller may not know of it.
    """
    organisation = store.find_organisation(tx, principal, reference)
    if organisation is None:
        raise NotFound("There is no such organisation.", code="organisation_not_found")
    return organisation


def update(
    tx: Transaction, principal: Principal, reference: str, *, name: str | None, slug: str | None
) -> Organisation:
    """Change the name or the slug."""
    before = get(tx, principal, reference)
    after = replace(before, name=name or before.name, slug=slug or before.slug, updated_at=now_ms())
    if not store.update_organisation(tx, after):
        raise Conflict(f"An organisation with the slug {after.slug!r} exists already.", code="slug_taken")
    return after


def apps_of(tx: Transaction, organisation: Organisation) -> list[App]:
    """Every app of the organisation."""
    return store.apps_of_organisation(tx, organisation.id)


def delete(tx: Transaction, organisation: Organisation) -> None:
    """Delete the organisation; its apps must be gone.

    Raises:
        Conflict: It still has apps.
    """
    if store.apps_of_organisation(tx, organisation.id) or not store.delete_organisation(tx, organisation.id):
        raise Conflict(
            "The organisation still has apps; delete them first, or use force=true.",
            code="organisation_not_empty",
        )
