"""The stream key is found wherever people put it (case N05)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp.keys import LONGEST_CANDIDATE, MOST_CANDIDATES, key_candidates

KEY = "stk_dGhlIGtleSBvZiBhbiBpbmdyZXNz"


@pytest.mark.parametrize(
    ("app", "url", "name"),
    [
        ("live", "rtmp://h/live", KEY),
        ("live/", "rtmp://h/live/", KEY),
        ("", "rtmp://h/", KEY),
        ("any/thing", "rtmp://h/any/thing", KEY),
        ("live", "rtmp://h/live", f"{KEY}?x=1"),
        ("live", "rtmp://h/live", f"{KEY}?x=1&y=/a"),
        ("live", "rtmp://h/live", f"{KEY}/"),
        ("live", "rtmp://h/live", f"/{KEY}"),
        ("live", "rtmp://h/live", f" {KEY}\r\n"),
        ("live", "rtmp://h/live", f"{KEY} ?x=1"),
        ("live", "rtmp://h/live", f"room/{KEY}"),
        (f"live/{KEY}", f"rtmp://h/live/{KEY}", ""),
        (f"live/{KEY}/", f"rtmp://h/live/{KEY}/", ""),
        (f"live/{KEY}?x=1", f"rtmp://h/live/{KEY}?x=1", ""),
        (KEY, f"rtmp://h/{KEY}", "stream"),
        (f"live?key={KEY}", f"rtmp://h/live?key={KEY}", "cam"),
        ("live", "rtmp://h/live", f"cam?token={KEY}"),
        ("live", f"rtmp://user:{KEY}@h:1935/live", "cam"),
        ("live", f"rtmp://{KEY}@h/live", ""),
    ],
)
def test_where_it_is_found(app: str, url: str, name: str) -> None:
    assert KEY in key_candidates(app, url, name)


def test_the_likeliest_comes_first() -> None:
    assert key_candidates("live", "rtmp://h/live", KEY)[0] == KEY


@given(st.text(max_size=600), st.text(max_size=600), st.text(max_size=600))
def test_candidates_have_bounds(app: str, url: str, name: str) -> None:
    found = key_candidates(app, url, name)
    assert len(found) <= MOST_CANDIDATES
    assert all(0 < len(candidate) <= LONGEST_CANDIDATE for candidate in found)
    assert len(set(found)) == len(found)
