"""A time that we know better replaces one that we had inferred, never the other way."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.mediaserver.snapshots import ParticipantSnapshot, TrackSnapshot
from stagedoor.rooms import machine
from stagedoor.rooms.nouns import INFERRED, Moment, TimeSource
from tests.support.rooms_people import START, came, session, track, tried

BEST_LAST: list[TimeSource] = ["session_end", "reconcile", "received", "livekit"]
PAIRS = [(old, new, BEST_LAST.index(new) > BEST_LAST.index(old)) for old in BEST_LAST for new in BEST_LAST]
NOW = START + 99_000


def test_every_source_has_its_rank() -> None:
    assert set(BEST_LAST) == set(get_args(TimeSource))


@pytest.mark.parametrize(("old", "new", "better"), PAIRS)
def test_the_end_of_a_session(old: TimeSource, new: TimeSource, better: bool) -> None:
    before = session(ended=old)
    after = machine.ended(before, Moment(START + 5_000, new), NOW)
    assert (after.ended_at, after.ended_at_source) == ((START + 5_000, new) if better else (before.ended_at, old))
    assert after.changed_at == before.changed_at, "it changed when it ended, not when we learnt more"


@pytest.mark.parametrize(("old", "new", "better"), PAIRS)
def test_a_leaving(old: TimeSource, new: TimeSource, better: bool) -> None:
    before = came(source=old)
    after = machine.left(before, Moment(START + 5_000, new), "CLIENT_INITIATED", NOW)
    assert (after.left_at, after.left_at_source) == ((START + 5_000, new) if better else (before.left_at, old))
    assert after.reason == "CLIENT_INITIATED"


@pytest.mark.parametrize(("old", "new", "better"), PAIRS)
def test_the_end_of_a_track(old: TimeSource, new: TimeSource, better: bool) -> None:
    before = track(unpublished=old)
    later = machine.unpublished(before, Moment(START + 12_000, new), NOW)
    assert (later.unpublished_at, later.unpublished_at_source) == (
        (START + 12_000, new) if better else (before.unpublished_at, old)
    )
    earlier = machine.unpublished(before, Moment(START + 5_000, new), NOW)
    kept = not better and new != old and not {new, old} <= INFERRED
    assert earlier.unpublished_at == (before.unpublished_at if kept else START + 5_000)


@pytest.mark.parametrize("old", BEST_LAST)
def test_livekits_creation_time_counts(old: TimeSource) -> None:
    before = replace(session(), started_at_source=old)
    after = machine.started_known(before, START - 3_000)
    assert after.started_at == (START if old == "livekit" else START - 3_000)
    assert machine.started_known(before, None) == before


@pytest.mark.parametrize("old", BEST_LAST)
def test_a_joining(old: TimeSource) -> None:
    before = replace(came(), joined_at_source=old)
    fact = ParticipantSnapshot("PA_1", "ann", joined_at=START + 77)
    after = machine.joined(before, fact, Moment(NOW, "received"), NOW)
    assert after.joined_at == (START if old == "livekit" else START + 77)
    assert after.joined_at_source == "livekit"


@pytest.mark.parametrize(("old", "new", "better"), PAIRS)
def test_a_publishing(old: TimeSource, new: TimeSource, better: bool) -> None:
    """A list says only that a track is there now: that never moves the time at which it was published."""
    before = replace(track(), published_at_source=old)
    fact = TrackSnapshot("TR_1", "video", "camera", "video/vp8")
    after = machine.published_known(before, fact, Moment(START + 400, new))
    assert after.published_at == (START + 400 if better and new != "reconcile" else before.published_at)


@given(at=st.integers(START - 10_000, START + 200_000))
def test_nothing_ends_before_it_began(at: int) -> None:
    moment = Moment(at, "livekit")
    assert (machine.ended(session(), moment, NOW).duration_ms or 0) >= 0
    assert (machine.left(came(source="reconcile"), moment, None, NOW).duration_ms or 0) >= 0
    over = machine.unpublished(track(), moment, NOW)
    assert over.unpublished_at is not None
    assert over.unpublished_at >= over.published_at
    late = machine.joined(tried(), ParticipantSnapshot("PA_2", "bob", joined_at=at), moment, NOW)
    assert late.state == "left"
    assert (late.duration_ms or 0) >= 0
