"""`If-Match`, as RFC 9110 has it and as encoders send it."""

from __future__ import annotations

import pytest

from stagedoor.api.whip.headers import if_match
from stagedoor.kernel.errors import BadRequest
from stagedoor.sources.whip.conditions import ABSENT, IfMatch


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], ABSENT),
        (["  "], ABSENT),
        (["*"], IfMatch(anything=True)),
        (['"*"'], IfMatch(anything=True)),
        (['"a"'], IfMatch(tags=frozenset({"a"}))),
        (["a"], IfMatch(tags=frozenset({"a"}))),
        (['"a,b" ,"c"'], IfMatch(tags=frozenset({"a,b", "c"}))),
        (['"a"', '"b"'], IfMatch(tags=frozenset({"a", "b"}))),
        (['W/"a", "b"'], IfMatch(tags=frozenset({"b"}))),
        (['W/"a"'], IfMatch(tags=frozenset())),
    ],
)
def test_if_match_is_a_star_or_a_list(fields: list[str], expected: IfMatch) -> None:
    assert if_match(fields) == expected


@pytest.mark.parametrize("value", ['"', '"a" "b"', ",", '"a'])
def test_what_is_no_list_is_refused(value: str) -> None:
    with pytest.raises(BadRequest):
        if_match([value])
