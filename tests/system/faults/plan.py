"""What goes wrong with webhooks on their way: decided by a seed, and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

Fault = Literal["none", "drop", "refuse", "lose_answer", "repeat", "delay", "reorder", "flip_body", "cut_header"]
"""`drop`: LiveKit is told that it arrived. `refuse`: LiveKit is told that it did not, and sends it again.
`lose_answer`: it arrived, and LiveKit is told otherwise. The others are what they say."""

FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one webhook.

    Attributes:
        seconds: How late a delayed one, or the copy of a repeated one, is.
        behind: How many later ones of its room go before it, when it is put out of order.
        where: Where it is damaged, as a part of its length.
        bit: Which bit is turned over there.
    """

    fault: Fault
    seconds: float
    behind: int
    where: float
    bit: int


_MIXTURES: Final[tuple[Mapping[Fault, int], ...]] = (
    # A bad network, one that loses most, one that shuffles and repeats everything, and one that damages.
    {"none": 6, "drop": 3, "refuse": 1, "lose_answer": 1, "repeat": 2, "delay": 3, "reorder": 3, "flip_body": 1,
     "cut_header": 1},
    {"none": 4, "drop": 8, "refuse": 1, "flip_body": 2, "cut_header": 2, "reorder": 1},
    {"none": 2, "lose_answer": 2, "repeat": 6, "delay": 5, "reorder": 6},
    {"none": 5, "flip_body": 4, "cut_header": 4, "lose_answer": 2, "delay": 1},
)  # fmt: skip


class Plan:
    """The same faults for the same seed, whatever the machine is busy with.

    LiveKit sends each room's webhooks in order and different rooms' at once; so a fate belongs to the place of a
    webhook in its room, not to its place among all.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._mixture = _MIXTURES[seed % len(_MIXTURES)]

    def fate(self, room: str, ordinal: int) -> Fate:
        """Of the `ordinal`th arrival of a webhook about the room."""
        chance = Random(f"{self.seed}/{room}/{ordinal}")  # a text is hashed the same in each process
        (fault,) = chance.choices(list(self._mixture), list(self._mixture.values()))
        return Fate(fault, chance.uniform(0.05, 2.5), chance.randint(1, 3), chance.random(), chance.randrange(8))
