"""Organisations' slugs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.api.routes.organisations import SLUG
from stagedoor.tenancy.organisations import slug_from


@given(st.text(max_size=300))
def test_every_name_makes_a_slug(name: str) -> None:
    assert re.fullmatch(SLUG, slug_from(name))


def test_a_name_for_people_becomes_one_for_urls() -> None:
    assert slug_from("Acme & Sons, Ltd.") == "acme-sons-ltd"
