"""The most participants at the same time, against a count of every moment."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.rooms.machine import peak
from stagedoor.rooms.nouns import Participant
from tests.support.rooms_people import START, came, tried

_STAYS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=8)


def _people(stays: list[tuple[int, int]]) -> list[Participant]:
    return [came(at=at, for_ms=length, identity=f"p{number}") for number, (at, length) in enumerate(stays)]


@given(stays=_STAYS)
def test_it_is_the_fullest_moment(stays: list[tuple[int, int]]) -> None:
    people = _people(stays)
    fullest = max((sum(at <= now < at + max(length, 1) for at, length in stays) for now in range(40)), default=0)
    assert peak(people, START + 60_000) == fullest


@given(stays=_STAYS, seed=st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_stored_means_nothing(stays: list[tuple[int, int]], seed: Random) -> None:
    people = _people(stays)
    mixed = list(people)
    seed.shuffle(mixed)
    assert peak(people, START) == peak(mixed, START)


def test_one_who_takes_anothers_place_is_not_two() -> None:
    assert peak([came(at=0, for_ms=500), came(at=500, for_ms=500, identity="bob")], START) == 1


def test_who_is_still_there_counts_until_the_end() -> None:
    staying = replace(came(at=0), left_at=None, left_at_source=None, state="active")
    assert peak([staying, came(at=50_000, identity="bob")], START + 60_000) == 2


def test_who_never_arrived_does_not_count() -> None:
    assert peak([tried()], START) == 0
