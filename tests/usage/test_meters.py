"""Hours add up to the whole, whatever ran when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.usage.meters import HOUR_MS, METERS, Amounts, Span, by_hour, minutes, total

spans = st.lists(
    st.builds(Span, st.sampled_from(METERS), st.integers(0, 5 * HOUR_MS), st.integers(0, 9 * HOUR_MS)), max_size=12
)


@given(spans)
def test_hours_add_up(found: list[Span]) -> None:
    hours = by_hour(found)
    assert sum(hours.values(), Amounts()) == total(found)
    for hour, amounts in hours.items():
        assert hour % HOUR_MS == 0
        assert amounts != Amounts()
        for meter in METERS:
            running = sum(span.meter == meter for span in found)
            assert 0 <= getattr(amounts, meter) <= running * HOUR_MS


def test_an_hour_is_cut_where_it_ends() -> None:
    found = by_hour([Span("participant", HOUR_MS - 60_000, 2 * HOUR_MS + 1), Span("recording", 0, 0)])
    assert {hour: amounts.participant for hour, amounts in found.items()} == {
        0: 60_000,
        HOUR_MS: HOUR_MS,
        2 * HOUR_MS: 1,
    }


def test_minutes_are_for_people() -> None:
    assert minutes(Amounts(participant=90_000, video_track=1)) == {
        "participantMinutes": 1.5,
        "audioTrackMinutes": 0.0,
        "videoTrackMinutes": 0.0,
        "ingressMinutes": 0.0,
        "egressMinutes": 0.0,
        "recordingMinutes": 0.0,
        "cameraMinutes": 0.0,
        "viewerMinutes": 0.0,
    }
