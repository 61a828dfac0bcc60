"""How a worker's places for one kind of jobs are shared among groups, so that no slow target holds up others."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")
_SEPARATOR: Final = "/"


class Shares:
    """The shares of groups, with what runs now.

    A group has a bounded number of places. The groups of one tenant, those whose keys begin with the same `tenant/`,
    have at most half of the places that other tenants leave: one alone half of them, a second one a quarter, and so on,
    so that a tenant that comes later finds a place while those of others are held up.

    Args:
        places: How many jobs of the kind the worker does at a time.
        of_group: How many of one group.
        running: How many of each group it does now; `None` stands for those without a group.
    """

    def __init__(self, places: int, of_group: int, running: Mapping[str | None, int]) -> None:
        self._places = places
        self._of_group = of_group
        self._groups = Counter(running)
        self._tenants = Counter[str]()
        for group, count in running.items():
            self._tenants[_tenant(group)] += count
        self._all = sum(running.values())

    def pick(
        self,
        limit: int,
        since: Mapping[str | None, int],
        fetch: Callable[[str | None, int], Sequence[_T]],
    ) -> Iterator[_T]:
        """Up to `limit` jobs: in turn one of the tenant that has the fewest, of its group that has the fewest.

        Args:
            limit: At the most.
            since: The groups that have jobs, and since when the first of each could run.
            fetch: The oldest jobs of a group, so many at the most.
        """
        tenants: dict[str, list[tuple[int, int, int, str | None]]] = {}
        for number, (group, at) in enumerate(since.items()):
            heapq.heappush(tenants.setdefault(_tenant(group), []), (self._groups[group], at, number, group))
        turns = [(self._tenants[tenant], groups[0][1], tenant) for tenant, groups in tenants.items()]
        heapq.heapify(turns)
        fetched: dict[str | None, deque[_T]] = {}
        while turns and limit > 0 and self._all < self._places:
            _, at, tenant = heapq.heappop(turns)
            groups = tenants[tenant]
            if not groups or not self._tenant_has_place(tenant):
                continue  # what others have only grows meanwhile, so its turn does not come again
            _, since_group, number, group = heapq.heappop(groups)
            room = limit if group is None else min(limit, self._of_group - self._groups[group])
            if group not in fetched:
                fetched[group] = deque(fetch(group, room) if room > 0 else ())
            if fetched[group] and room > 0:
                yield fetched[group].popleft()
                limit -= 1
                self._take(group)
                heapq.heappush(groups, (self._groups[group], since_group, number, group))
            heapq.heappush(turns, (self._tenants[tenant], at, tenant))

    def _tenant_has_place(self, tenant: str) -> bool:
        if not tenant.endswith(_SEPARATOR):
            return True
        own = self._tenants[tenant]
        return own == 0 or 2 * (own + 1) <= self._places - (self._all - own)

    def _take(self, group: str | None) -> None:
        self._groups[group] += 1
        self._tenants[_tenant(group)] += 1
        self._all += 1


def _tenant(group: str | None) -> str:
    """What comes before the separator, with it; a group without one is by itself."""
    name, separator, _ = (group or "").partition(_SEPARATOR)
    return name + separator
