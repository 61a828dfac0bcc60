"""The table of roles: each may do less than the one before, and no user reaches beyond the organisation."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.access.roles import JOIN, ROLE_SCOPES, as_member, as_operator
from stagedoor.kernel.errors import NotFound
from stagedoor.people.nouns import ROLES, Membership, Role, SignedIn, User
from stagedoor.tenancy.scopes import SCOPES, expand

USER = User("usr_1", "ada@example.com", "Ada", None, None, None, False, None, 0, 0)
ORGANISATIONS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(ROLES)), unique_by=lambda one: one[0], max_size=5)


def signed_in(*places: tuple[int, Role]) -> SignedIn:
    found = [Membership(f"org_{number}", f"slug-{number}", "x", role, number) for number, role in places]
    return SignedIn(USER, tuple(found), "sis_1")


def test_each_role_may_do_more_than_the_next() -> None:
    assert tuple(ROLE_SCOPES) == ROLES
    for more, less in itertools.pairwise(ROLES):
        assert ROLE_SCOPES[more] > ROLE_SCOPES[less]
    for scopes in ROLE_SCOPES.values():
        assert scopes <= frozenset(SCOPES)
        assert expand(scopes) == scopes


def test_a_viewer_changes_nothing_and_a_member_gives_nothing_away() -> None:
    assert all(scope.endswith(":read") or scope == JOIN for scope in ROLE_SCOPES["viewer"])
    assert not {"keys:write", "tokens:write", "apps:write", "webhooks:write", "audit:read"} & ROLE_SCOPES["member"]
    assert not {"admin", "users:read", "users:write"} & ROLE_SCOPES["admin"]


@given(places=ORGANISATIONS, named=st.none() | st.integers(0, 9))
def test_a_member_never_leaves_the_organisation(places: list[tuple[int, Role]], named: int | None) -> None:
    roles: dict[str, Role] = {f"org_{number}": role for number, role in places}
    for reference in (None,) if named is None else (f"org_{named}", f"slug-{named}"):
        if reference is not None and f"org_{named}" not in roles:
            with pytest.raises(NotFound):
                as_member(signed_in(*places), "session", reference)
            continue
        principal = as_member(signed_in(*places), "session", reference)
        assert principal.organisation_id is not None
        role = roles.get(principal.organisation_id)
        assert principal.scopes == (frozenset({JOIN}) if role is None else ROLE_SCOPES[role])
        assert (principal.role, principal.credential) == (role, "sis_1")
        assert (role is None) == (not places)


def test_an_operator_is_bound_to_the_organisation_that_is_named() -> None:
    everywhere = as_operator(signed_in((1, "viewer")), "session", None)
    assert (everywhere.organisation_id, everywhere.scopes) == (None, frozenset(SCOPES))
    there = as_operator(signed_in((1, "viewer")), "session", "org_1")
    assert (there.organisation_id, there.role, there.scopes) == ("org_1", "viewer", frozenset(SCOPES))
