"""Times on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.clock import from_rfc3339, rfc3339


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_a_time_survives_the_wire(ms: int) -> None:
    assert from_rfc3339(rfc3339(ms)) == ms


def test_the_form() -> None:
    assert rfc3339(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_rfc3339(text)
