"""The one function that says what a principal may see. Every query about a tenant's things starts from it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, true

from stagedoor.tenancy.principals import Principal


def visible(
    principal: Principal,
    organisation: ColumnElement[str] | ColumnElement[str | None],
    app: ColumnElement[str] | ColumnElement[str | None] | None = None,
) -> ColumnElement[bool]:
    """The condition that keeps only rows that `principal` may know of.

    Args:
        principal: The caller.
        organisation: The column with the row's organisation id.
        app: The column with the row's app id; `None` for things that are above apps, which a principal that is
            bound to one app does not see.
    """
    conditions: list[ColumnElement[bool]] = [true()]
    if principal.organisation_id is not None:
        conditions.append(organisation == principal.organisation_id)
    if principal.app_id is not None:
        conditions.append(false() if app is None else app == principal.app_id)
    return and_(*conditions)
