"""What a scope allows, and that no key gives what it does not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.errors import Forbidden
from stagedoor.tenancy.principals import OPERATOR, Principal
from stagedoor.tenancy.scopes import ADMIN, SCOPES, expand

scope_sets = st.frozensets(st.sampled_from(sorted(SCOPES)))


def caller(scopes: frozenset[str]) -> Principal:
    return Principal("key_x", expand(scopes))


@given(scopes=scope_sets)
def test_expanding_adds_and_ends(scopes: frozenset[str]) -> None:
    assert scopes <= expand(scopes) <= frozenset(SCOPES)
    assert expand(expand(scopes)) == expand(scopes)


@given(mine=scope_sets, given_away=scope_sets)
def test_what_is_given_away_allows_no_more_than_the_giver(mine: frozenset[str], given_away: frozenset[str]) -> None:
    if caller(mine).covers(given_away):
        assert expand(given_away) <= expand(mine)
    else:
        assert expand(given_away) - expand(mine)


@given(mine=scope_sets, scope=st.sampled_from(sorted(SCOPES)))
def test_a_scope_is_required_or_refused(mine: frozenset[str], scope: str) -> None:
    if scope in expand(mine):
        caller(mine).require(scope)
    else:
        with pytest.raises(Forbidden) as refused:
            caller(mine).require(scope)
        assert refused.value.extra == {"requiredScope": scope}


@given(scopes=scope_sets)
def test_only_admin_makes_an_admin(scopes: frozenset[str]) -> None:
    assert caller(scopes).covers(frozenset({ADMIN})) == (ADMIN in scopes)


def test_writing_implies_reading_and_never_the_other_way() -> None:
    for scope in SCOPES:
        noun, _, verb = scope.partition(":")
        if verb == "write" and f"{noun}:read" in SCOPES:
            assert f"{noun}:read" in expand(frozenset({scope}))
        if verb == "read":
            assert expand(frozenset({scope})) == {scope}


def test_the_scopes_that_were_asked_for_are_there() -> None:
    asked = "apps:read apps:write tokens:write rooms:read rooms:write sessions:read keys:write events:read admin"
    assert set(asked.split()) <= set(SCOPES)


def test_the_operator_may_do_everything_everywhere() -> None:
    assert OPERATOR.scopes == frozenset(SCOPES)
    OPERATOR.require_installation()
