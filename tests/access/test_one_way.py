"""A rule for tokens holds on every way to one because there is one way: the source shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "stagedoor"


def files_with(pattern: str) -> Iterator[str]:
    for path in sorted(SOURCE.rglob("*.py")):
        if re.search(pattern, path.read_text()):
            yield path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"\bAccessToken\(|api_secret\.encode\(", ["mediaserver/signing.py"]),
        (r"\bmint\(", ["access/issue.py", "access/mint.py"]),
        (r"\bunder_plan\(", ["access/grants.py", "access/issue.py"]),
        (r"\bdecide\(", ["access/grants.py", "access/issue.py"]),
    ],
)
def test_a_join_token_is_made_in_one_place(pattern: str, places: list[str]) -> None:
    assert list(files_with(pattern)) == places
