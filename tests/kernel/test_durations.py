"""Durations as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.durations import PATTERN, format_duration, parse_duration


@given(st.integers(1, 10**9))
def test_there_and_back(seconds: int) -> None:
    text = format_duration(seconds)
    assert parse_duration(text) == seconds
    assert re.fullmatch(PATTERN, text)
    assert len(text) <= len(f"{seconds}s")


@given(st.text(max_size=12))
def test_what_is_read_has_the_form_that_is_documented(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds >= 1
    assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600), ("2d", 172_800), ("7", 7)])
def test_the_forms(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("wrong", ["", "s", "-1s", "1.5h", "1 h", "1w", "0s", "0d", 0, -3, True, "1h30m", "1h\n"])
def test_what_is_none(wrong: str | int) -> None:
    with pytest.raises(ValueError):
        parse_duration(wrong)
