"""How many deliveries may wait: a bound for each organisation, and a share of it for each of its endpoints.

Nothing is lost at the bound: events stay where they are stored, and are given out when there is room, the oldest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stagedoor.outbox.nouns import MOST_PER_ORGANISATION


class Room:
    """How many more deliveries may wait for the endpoints of one organisation.

    An endpoint that takes nothing may fill the organisation's room, and no other's share of it: one part in as many as
    an organisation may have endpoints.

    Args:
        waiting: How many wait for each endpoint now.
        most: How many may wait for all of them.
    """

    def __init__(self, waiting: Mapping[str, int], most: int) -> None:
        self._waiting = Counter(waiting)
        self._total = sum(waiting.values())
        self._most = most
        self._share = max(1, most // MOST_PER_ORGANISATION)

    def take(self, endpoint_id: str) -> bool:
        """Whether one more may wait for the endpoint, which it then does."""
        if self._total >= self._most and self._waiting[endpoint_id] >= self._share:
            return False
        self._waiting[endpoint_id] += 1
        self._total += 1
        return True

    def has_again(self, endpoint_id: str) -> bool:
        """Whether there is room to go on with an endpoint that had none.

        Half of it: or each delivery that ends would cost a look at all that wait.
        """
        return self._total <= self._most // 2 or self._waiting[endpoint_id] <= self._share // 2
