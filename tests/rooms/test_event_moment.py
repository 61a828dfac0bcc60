"""The time of an event: our receipt where it can be true, else the nearest end of LiveKit's second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.rooms.machine import event_moment

_TIMES = st.integers(0, 2**42)
_SECONDS = st.integers(1, 2**32)


@given(received_at=_TIMES, second=_SECONDS)
def test_it_lies_in_livekits_second(received_at: int, second: int) -> None:
    assert event_moment(received_at, second).at // 1000 == second


@given(second=_SECONDS, millisecond=st.integers(0, 999))
def test_a_receipt_within_the_second_is_kept(second: int, millisecond: int) -> None:
    moment = event_moment(second * 1000 + millisecond, second)
    assert (moment.at, moment.source) == (second * 1000 + millisecond, "received")


@given(received_at=_TIMES, second=_SECONDS)
def test_no_other_time_in_the_second_is_nearer_to_our_receipt(received_at: int, second: int) -> None:
    moment = event_moment(received_at, second)
    nearest = min(range(second * 1000, second * 1000 + 1000), key=lambda at: abs(at - received_at))
    assert moment.at == nearest
    assert moment.source == ("received" if nearest == received_at else "livekit")


@given(received_at=_TIMES)
def test_without_livekits_second_our_receipt_is_all_there_is(received_at: int) -> None:
    moment = event_moment(received_at, None)
    assert (moment.at, moment.source) == (received_at, "received")


@given(received_at=_TIMES, later=st.integers(0, 60_000), second=_SECONDS)
def test_a_later_receipt_is_never_an_earlier_time(received_at: int, later: int, second: int) -> None:
    assert event_moment(received_at, second).at <= event_moment(received_at + later, second).at
