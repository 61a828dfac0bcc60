"""Test messages: sent at once and once, for a caller who waits for the answer."""

from __future__ import annotations

from collections import Counter
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.sealing import Sealer
from stagedoor.outbox import messages, secret
from stagedoor.outbox.nouns import AttemptResult, Endpoint
from stagedoor.outbox.sender import Sender
from stagedoor.tenancy.principals import Principal

TESTS_OF_A_KEY: Final = 2
"""How many test messages a key may have under way. A delivery waits in the queue for its turn; these do not."""


class WebhookTester:
    """Sends test messages."""

    def __init__(self, sender: Sender, sealer: Sealer) -> None:
        self._sender = sender
        self._sealer = sealer
        self._under_way: Counter[str] = Counter()

    async def send(self, caller: Principal, endpoint: Endpoint) -> AttemptResult:
        """What came of a message of the type `webhook.test`.

        Raises:
            TooMany: The caller's key has as many under way as it may.
            Conflict: The endpoint's secret cannot be read.
        """
        if self._under_way[caller.key_id] >= TESTS_OF_A_KEY:
            raise TooMany(
                f"A key may have {TESTS_OF_A_KEY} test messages under way; wait for their answers.",
                code="too_many_tests",
                extra={"limit": TESTS_OF_A_KEY},
                headers={"Retry-After": "1"},
            )
        signers = secret.signers(self._sealer, endpoint, now_ms())
        test_id = new_id("evt_test")
        body = messages.test_message(test_id, now_ms(), endpoint.id)
        self._under_way[caller.key_id] += 1
        try:
            return await self._sender.send(endpoint.url, test_id, body, signers)
        finally:
            self._under_way[caller.key_id] -= 1
            self._under_way += Counter[str]()  # forgets the keys that have none
