"""A participant's sound is where it came, and begins, ends, moves and is mixed without a click."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stagedoor.streams.media.child.composition.mixer import limited, mix
from stagedoor.streams.media.child.composition.sound import RATE, Samples, Sound

FRAME = RATE // 25
DELAY = RATE // 5
STEP = 2 * np.pi * 440 / RATE * 0.5
"""How much a tone of 440 Hz at half of full scale changes in one sample, at the most."""


def tone(begin: int, count: int = FRAME) -> Samples:
    wave = np.sin(2 * np.pi * 440 * np.arange(begin, begin + count) / RATE) * 0.5
    return np.stack([wave, wave], axis=1).astype(np.float32)


def played(arrivals: list[tuple[int, int]], until: int) -> Samples:
    """Frames of a tone that came at these places, each with its place in the tone, as they are read meanwhile."""
    sound, made, place = Sound(), list[Samples](), 0
    # Frames come in their order: one that was to come before another comes with it.
    latest = itertools.accumulate((arrived for arrived, _ in arrivals), max)
    pending = [(arrived, begin) for arrived, (_, begin) in zip(latest, arrivals, strict=True)]
    while place < until:
        while pending and pending[0][0] <= place + DELAY:
            arrived, begin = pending.pop(0)
            sound.put(tone(begin), arrived)
        made.append(sound.read(place, 1024))
        place += 1024
    return np.concatenate(made)


def largest_step(samples: Samples) -> float:
    return float(np.abs(np.diff(samples[:, 0])).max())


def test_samples_are_where_they_came() -> None:
    heard = played([(RATE + number * FRAME, number * FRAME) for number in range(50)], 4 * RATE)
    loud = np.flatnonzero(np.abs(heard[:, 0]) > 0.1)
    assert abs(int(loud[0]) - (RATE - FRAME)) < 300
    assert abs(int(loud[-1]) - (RATE + 49 * FRAME)) < 300
    middle = heard[2 * RATE : 2 * RATE + 1000, 0]
    assert np.allclose(middle, tone(RATE + FRAME, 1000)[:, 0], atol=1e-5)


def test_frames_that_come_late_and_together_are_played_as_if_they_had_not() -> None:
    times = [RATE + number * FRAME for number in range(50)]
    regular = [(at, number * FRAME) for number, at in enumerate(times)]
    # The machine is busy from the 20th to the 23rd frame, 160 ms, and hands them out at once.
    bunched = [(times[23] if 20 <= number < 23 else at, place) for number, (at, place) in enumerate(regular)]
    assert np.array_equal(played(regular, 3 * RATE), played(bunched, 3 * RATE))


@pytest.mark.parametrize("shift_ms", [-120, 60, 400, 3_000])
def test_a_sound_that_stops_and_goes_on_elsewhere_does_not_click(shift_ms: int) -> None:
    shift = RATE * shift_ms // 1_000
    arrivals = [(RATE + number * FRAME + (shift if number >= 25 else 0), number * FRAME) for number in range(75)]
    heard = played(arrivals, 8 * RATE)
    assert largest_step(heard) < STEP * 1.3
    assert np.abs(heard).max() > 0.45


def test_a_sound_whose_time_changed_is_moved_into_step() -> None:
    shift = RATE * 60 // 1_000
    arrivals = [(RATE + number * FRAME + (shift if number >= 25 else 0), number * FRAME) for number in range(150)]
    heard = played(arrivals, 8 * RATE)
    end = int(np.flatnonzero(np.abs(heard[:, 0]) > 0.1)[-1])
    assert abs(end - (RATE + 149 * FRAME + shift)) < RATE * 0.02


def test_a_closed_sound_is_over_when_it_has_been_read() -> None:
    sound = Sound()
    sound.put(tone(0), 2 * FRAME)
    sound.closed = True
    assert not sound.over
    while not sound.over:
        sound.read(sound.end - FRAME, 4 * FRAME)


def test_a_loud_mix_is_bent_and_a_quiet_one_is_the_sum() -> None:
    one = tone(0)
    assert np.allclose(mix([one, one * 0.5], FRAME), one * 1.5, atol=1e-6)
    loud = mix([one] * 6, FRAME)
    assert np.abs(loud).max() <= 1.0
    assert largest_step(loud) <= largest_step(one) * 6
    assert np.abs(mix([], FRAME)).max() == 0.0
    edge = np.linspace(0.7, 0.9, 1000, dtype=np.float32)[:, None]
    assert np.abs(np.diff(limited(edge)[:, 0], 2)).max() < 1e-4, "the knee has an edge"
