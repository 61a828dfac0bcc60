"""How often sign-ins may fail: by address, by account, and by browser.

A stranger who fails again and again for an account must not keep its user out. So a browser in which the user has
signed in before is known by a cookie, and counted by itself: nothing that others do is held against it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import Final

from stagedoor.kernel.errors import TooMany
from stagedoor.kernel.rate import Rate

OF_ADDRESS: Final = 30
"""Failures from one address in a minute, whatever the account."""

OF_ACCOUNT_AT_ADDRESS: Final = 10
"""Failures of one account from one address in a quarter of an hour."""

OF_ACCOUNT: Final = 100
"""Failures of one account from everywhere in an hour; browsers that are known are not counted, nor refused."""

OF_BROWSER: Final = 10
"""Failures of one account in a known browser in a quarter of an hour."""

_QUARTER: Final = 900


class SignInLimits:
    """Counts attempts on this node, and gives back those that succeed.

    Args:
        secret: Signs the cookies of known browsers.
    """

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(f"known-browser:{secret}".encode()).digest()
        self._address = Rate(OF_ADDRESS, 60)
        self._account_at_address = Rate(OF_ACCOUNT_AT_ADDRESS, _QUARTER)
        self._account = Rate(OF_ACCOUNT, 3_600)
        self._browser = Rate(OF_BROWSER, _QUARTER)

    def begin(self, email: str, address: str, browser: str | None) -> Attempt:
        """Count an attempt, before the password is looked at.

        Accounts that do not exist are counted too, so a refusal does not say that there is one.

        Raises:
            TooMany: Too many failed.
        """
        account = hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()
        if browser is not None and self._is_known(account, browser):
            return _take([(self._browser, f"{account} {browser}")])
        network = network_of(address)
        return _take(
            [(self._address, network), (self._account_at_address, f"{account} {network}"), (self._account, account)]
        )

    def known_browser(self, email: str) -> str:
        """The cookie's value for a browser in which the user has signed in."""
        nonce = secrets.token_urlsafe(12)
        account = hashlib.sha256(email.encode()).hexdigest()
        return f"{nonce}.{self._signature(account, nonce)}"

    def _is_known(self, account: str, browser: str) -> bool:
        nonce, _, signature = browser.partition(".")
        return hmac.compare_digest(signature.encode(), self._signature(account, nonce).encode())

    def _signature(self, account: str, nonce: str) -> str:
        return hmac.new(self._secret, f"{account} {nonce}".encode(), hashlib.sha256).hexdigest()


class Attempt:
    """A sign-in that was counted."""

    def __init__(self, counted: Sequence[tuple[Rate, str]]) -> None:
        self._counted = counted

    def forget(self) -> None:
        """Count it no more: it succeeded, or was not tried."""
        for rate, name in self._counted:
            rate.give_back(name)


def _take(rates: Sequence[tuple[Rate, str]]) -> Attempt:
    taken: list[tuple[Rate, str]] = []
    for rate, name in rates:
        if not rate.take(name):
            Attempt(taken).forget()  # refused, so nothing was tried
            raise TooMany(
                "Too many sign-ins failed; wait.",
                code="too_many_sign_ins",
                headers={"Retry-After": str(rate.retry_after(name))},
            )
        taken.append((rate, name))
    return Attempt(taken)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, which are one subscriber's."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{int(found) >> 64:x}::/64"
    return str(found)
