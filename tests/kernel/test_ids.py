"""Identifiers."""

from __future__ import annotations

import re

import pytest

from stagedoor.kernel import ids


def test_the_form() -> None:
    assert re.fullmatch(r"app_[0-9A-HJKMNP-TV-Z]{26}", ids.new_id("app"))


def test_later_ones_sort_after_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for ms in (1, 31, 32, 1_024, 1_700_000_000_000, 1_700_000_000_001, 2**48 - 1):
        monkeypatch.setattr(ids, "now_ms", lambda ms=ms: ms)
        made.append(ids.new_id("ses"))
    assert made == sorted(made)


def test_none_is_like_another() -> None:
    assert len({ids.new_id("key") for _ in range(10_000)}) == 10_000
