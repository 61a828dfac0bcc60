"""One pair of functions maps a room's short name to its LiveKit name and back, in one way only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stagedoor.kernel.errors import Invalid
from stagedoor.tenancy.apps import SLUG_PATTERN
from stagedoor.tenancy.room_names import livekit_name, new_livekit_name, short_name, split

slugs = st.from_regex(r"\A[a-z0-9_]{1,32}\Z")
short_names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._~-]{0,127}\Z")


@given(app=slugs, short=short_names)
def test_there_and_back(app: str, short: str) -> None:
    assume(not short.startswith(f"{app}-"))
    name = new_livekit_name(app, short)
    assert name == f"{app}-{short}"
    assert split(name) == (app, short)
    assert short_name(name) == short
    assert livekit_name(app, short) == livekit_name(app, name) == new_livekit_name(app, name) == name


@given(app=slugs, reference=st.text(max_size=40))
def test_a_reference_means_one_room_or_none(app: str, reference: str) -> None:
    try:
        name = livekit_name(app, reference)
    except Invalid:
        return
    parts = split(name)
    assert parts is not None
    assert parts[0] == app
    assert not parts[1].startswith(f"{app}-")
    # Where it begins with `<app>-` it is the LiveKit name, always.
    assert name == (reference if reference.startswith(f"{app}-") else f"{app}-{reference}")
    assert livekit_name(app, name) == name


@given(one=slugs, other=slugs, first=st.text(max_size=30), second=st.text(max_size=30))
def test_two_apps_never_meet_in_one_room(one: str, other: str, first: str, second: str) -> None:
    assume(one != other)
    try:
        names = {livekit_name(one, first), livekit_name(other, second)}
    except Invalid:
        return
    assert len(names) == 2


@given(name=st.text(max_size=60))
def test_any_livekit_name_is_one_apps_or_nobodys(name: str) -> None:
    parts = split(name)
    if parts is not None:
        app, short = parts
        assert "-" not in app
        assert f"{app}-{short}" == name
        assert livekit_name(app, short) == name


@given(app=slugs, reference=st.text(max_size=140))
def test_what_we_name_livekit_can_announce(app: str, reference: str) -> None:
    try:
        name = new_livekit_name(app, reference)
    except Invalid:
        return
    assert split(name) is not None
    assert re.fullmatch(r"[a-z0-9_]+-[A-Za-z0-9._~-]+", name)


@pytest.mark.parametrize("reference", ["", "live-", "live-live-x", "a\x00", "a\n", "x" * 201])
def test_what_is_no_room(reference: str) -> None:
    with pytest.raises(Invalid):
        livekit_name("live", reference)


@pytest.mark.parametrize("name", ["", "-", "live", "-demo", "live-", "live-live-demo"])
def test_what_is_no_apps_room(name: str) -> None:
    assert split(name) is None
    with pytest.raises(ValueError):
        short_name(name)


def test_a_slug_ends_at_the_first_hyphen() -> None:
    assert split("live-a-b-c") == ("live", "a-b-c")
    assert re.fullmatch(SLUG_PATTERN, "a-b") is None


def test_nothing_else_splits_a_room_name() -> None:
    source = Path(__file__).parents[2] / "src" / "stagedoor"
    found = subprocess.run(
        ["grep", "-rnE", r"(partition|split|removeprefix|startswith)\([^)]*-[\"']", str(source), "--include=*.py"],
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    suspicious = [line for line in found if "room" in line.lower() and "tenancy/room_names.py" not in line]
    assert suspicious == []
