"""What each role may do: the one table that routes, tokens, pages and the documentation ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stagedoor.kernel.errors import NotFound
from stagedoor.people.nouns import PersonalAccessToken, Role, SignedIn
from stagedoor.tenancy.principals import Kind, Principal
from stagedoor.tenancy.scopes import ADMIN, SCOPES, expand

JOIN: Final = "rooms:join"
_VIEWER: Final = frozenset({"organisations:read", "apps:read", "rooms:read", JOIN, "sessions:read", "events:read"})
_MEMBER: Final = _VIEWER | {
    "rooms:write",
    "transcripts:read",
    "cameras:read",
    "ingress:read",
    "members:read",
}
_ADMIN: Final = frozenset(SCOPES) - {ADMIN, "organisations:write", "users:read", "users:write"}

ROLE_SCOPES: Final[dict[Role, frozenset[str]]] = {
    "owner": frozenset(SCOPES),
    "admin": _ADMIN,
    "member": expand(_MEMBER),
    "viewer": expand(_VIEWER),
}
"""The scopes of a user in an organisation. An owner has `admin`, which reaches as far as the organisation."""

_NOWHERE: Final = ""
"""The bounds of a user without an organisation: no row has this id."""

_OUTSIDER: Final = frozenset({JOIN})
"""The scopes of such a user, who may join rooms that are public, or to which the user is invited."""


def may_give(caller: Principal, role: Role) -> bool:
    """Whether the caller may give or take a role: only one that may do no more than the caller."""
    return ROLE_SCOPES[role] <= caller.scopes


def with_token(signed_in: SignedIn, token: PersonalAccessToken) -> Principal:
    """The caller that a user is by a token: what both the token and the user may do, where the token acts."""
    if signed_in.user.operator:
        user = as_operator(signed_in, "token", token.organisation_id)
    else:
        user = as_member(signed_in, "token", token.organisation_id)
    return replace(user, scopes=user.scopes & expand(frozenset(token.scopes)), expires_at=token.expires_at)


def as_member(signed_in: SignedIn, kind: Kind, organisation: str | None) -> Principal:
    """The caller that a user is in an organisation.

    Args:
        signed_in: Who it is.
        kind: By what.
        organisation: Its slug or id; `None` takes the one that the user joined first.

    Raises:
        NotFound: The user does not belong to it, or there is none.
    """
    user, found = signed_in.user, signed_in.memberships
    if organisation is not None:
        found = tuple(one for one in found if organisation in {one.organisation_id, one.slug})
        if not found:
            raise NotFound("There is no such organisation.", code="organisation_not_found")
    if not found:
        return Principal(user.id, _OUTSIDER, _NOWHERE, kind=kind, credential=signed_in.credential)
    bounds, role = found[0].organisation_id, found[0].role
    return Principal(user.id, ROLE_SCOPES[role], bounds, kind=kind, credential=signed_in.credential, role=role)


def as_operator(signed_in: SignedIn, kind: Kind, organisation_id: str | None) -> Principal:
    """The caller that an operator is: in the whole installation, or in one organisation, a member of it or not."""
    roles = {one.organisation_id: one.role for one in signed_in.memberships}
    role = None if organisation_id is None else roles.get(organisation_id)
    credential = signed_in.credential
    return Principal(signed_in.user.id, frozenset(SCOPES), organisation_id, kind=kind, credential=credential, role=role)
