"""Which addresses a pulled URL may lead to: the internet's, and private ones that the operator has listed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from stagedoor.kernel.addresses import is_in, is_public


def refusal(host: str, address: str, allowed_networks: Sequence[str]) -> str | None:
    """Why an address may not be connected to, in a sentence; `None` when it may.

    Args:
        host: The host of the URL, a name or an address.
        address: An address of the host.
        allowed_networks: The networks that the operator has listed.
    """
    if is_public(address) or is_in(address, allowed_networks):
        return None
    where = address if host == address else f"{host} has the address {address}, which"
    return (
        f"{where} is not a public address. To pull from it, the operator lists it or its network in the setting"
        f" pull_allowed_networks, such as {address}/{ip_address(address).max_prefixlen}."
    )
