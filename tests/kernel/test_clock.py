"""RFC 3339 and milliseconds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.clock import from_rfc3339, rfc3339

FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FIRST = from_rfc3339("0001-01-01T00:00:00Z")
LAST = from_rfc3339("9999-12-31T23:59:59.999Z")


@given(st.integers(FIRST, LAST))
def test_there_and_back_to_the_millisecond(ms: int) -> None:
    text = rfc3339(ms)
    assert FORM.fullmatch(text)
    assert from_rfc3339(text) == ms


@given(st.integers())
def test_any_number_is_shown(ms: int) -> None:
    """A time of another program's, out of every calendar, must not break a list of Stagedoor's."""
    assert FORM.fullmatch(rfc3339(ms))


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_texts_sort_as_times_do(one: int, other: int) -> None:
    assert (one < other) == (rfc3339(one) < rfc3339(other))


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31t12:00:00z", "2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00.000Z"]
)
def test_one_moment_has_several_names(text: str) -> None:
    assert from_rfc3339(text) == 1_769_860_800_000


@pytest.mark.parametrize(
    "wrong",
    ["", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-10:00",
     "0001-01-01T00:00:00+10:00", "2026-01-31T12:00:00Z\x00"],
)  # fmt: skip
def test_what_is_no_moment(wrong: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(wrong)
