"""A worker's places are shared: a group has so many, a tenant half of what others leave, and each its turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.jobs.shares import Shares

TENANTS = ["a", "b", "c"]
GROUPS: list[str | None] = [None, "alone", *(f"{tenant}/{number}" for tenant in TENANTS for number in range(3))]


def tenant_of(group: str | None) -> str | None:
    return group.partition("/")[0] if group and "/" in group else None


class Waiting:
    """Jobs that wait, as numbers of their groups."""

    def __init__(self, waiting: dict[str | None, int]) -> None:
        self.waiting = waiting
        self.fetched = 0

    def fetch(self, group: str | None, most: int) -> Sequence[str | None]:
        assert most > 0
        self.fetched += 1
        return [group] * min(self.waiting[group], most)

    def picked(self, shares: Shares, limit: int) -> Counter[str | None]:
        since = dict.fromkeys(self.waiting, 0)
        return Counter(shares.pick(limit, since, self.fetch))


@given(
    places=st.integers(1, 40),
    of_group=st.integers(1, 8),
    running=st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 8)),
    waiting=st.dictionaries(st.sampled_from(GROUPS), st.integers(0, 50)),
    limit=st.integers(1, 40),
)
def test_no_bound_is_passed_and_no_place_is_left_that_may_be_taken(
    places: int, of_group: int, running: dict[str | None, int], waiting: dict[str | None, int], limit: int
) -> None:
    taken = Waiting(waiting).picked(Shares(places, of_group, running), limit)
    after = Counter(running) + taken
    assert sum(taken.values()) <= limit
    assert all(count <= waiting[group] for group, count in taken.items())
    if taken:
        assert sum(after.values()) <= max(places, sum(running.values()))
    tenants = Counter[str | None]()
    for group, count in after.items():
        tenants[tenant_of(group)] += count
    for group in taken:
        assert group is None or after[group] <= of_group
        if tenant_of(group) is not None:
            assert tenants[tenant_of(group)] == 1 or 2 * tenants[tenant_of(group)] <= places
    if sum(taken.values()) < limit and sum(after.values()) < places:
        for group, count in waiting.items():
            own = tenants[tenant_of(group)]
            others = sum(after.values()) - own
            assert (
                taken[group] == count
                or (group is not None and after[group] >= of_group)
                or (tenant_of(group) is not None and own > 0 and 2 * (own + 1) > places - others)
            )


def test_one_that_comes_later_finds_a_place_while_those_before_are_held_up() -> None:
    held: Counter[str | None] = Counter()
    for tenant in "abcdef":
        waiting = Waiting({f"{tenant}/{number}": 1000 for number in range(100)})
        taken = waiting.picked(Shares(128, 8, held), 128)
        assert taken.total() >= 1
        held += taken
    assert [sum(count for group, count in held.items() if tenant_of(group) == tenant) for tenant in "abcdef"] == [
        64,
        32,
        16,
        8,
        4,
        2,
    ]


def test_groups_have_their_turns() -> None:
    waiting = Waiting({"a/1": 1000, "a/2": 1000, "b/1": 3})
    taken = waiting.picked(Shares(100, 50, {}), 9)
    assert taken == {"a/1": 3, "a/2": 3, "b/1": 3}


def test_as_many_groups_are_looked_at_as_there_are_places_for() -> None:
    waiting = Waiting({f"{number}/x": 10 for number in range(1000)})
    assert waiting.picked(Shares(8, 8, {}), 8).total() == 8
    assert waiting.fetched == 8
