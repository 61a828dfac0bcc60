"""Counts wrong keys by address, so that keys of devices and encoders cannot be guessed."""

from __future__ import annotations

from typing import Final

from stagedoor.kernel.errors import TooMany
from stagedoor.kernel.rate import Rate

WRONG_KEYS: Final = 30
"""Wrong keys from one address in a minute. Valid keys are not counted: a fleet behind one address may reconnect."""


class WrongKeys:
    """The wrong keys of one protocol on this node."""

    def __init__(self) -> None:
        self._rate = Rate(WRONG_KEYS, 60)

    def refusal(self, address: str) -> TooMany | None:
        """Count a wrong key of an address; the answer when too many came from it, else `None`."""
        if self._rate.take(address):
            return None
        return TooMany(
            "Too many wrong keys came from this address; wait.",
            code="too_many_wrong_keys",
            headers={"Retry-After": str(self._rate.retry_after(address))},
        )
