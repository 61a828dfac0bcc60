"""Identifiers."""

from __future__ import annotations

import re

import pytest

from stagedoor.kernel.ids import new_id


def test_ids_are_prefixed_and_different() -> None:
    made = {new_id("ses") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"ses_[0-9A-HJKMNP-TV-Z]{26}", one) for one in made)


def test_later_ones_sort_after_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for ms in (0, 1, 31, 32, 1_800_000_000_000, 2**48 - 1):
        monkeypatch.setattr("stagedoor.kernel.ids.now_ms", lambda ms=ms: ms)
        made.append(new_id("ses"))
    assert made == sorted(made)
