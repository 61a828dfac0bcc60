"""Which addresses are the internet's, and which of others an operator lets us connect to."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out (ipv6-address-space). What lies outside, such as fc00::/7, fe80::/10, ff00::/8,
100:0:0:1::/64 and 5f00::/16, is of some other use, or of none yet."""

_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # IETF protocols, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
"""What cannot be reached over the internet, by IANA's registries of special-purpose addresses as of November 2026
(iana-ipv4-special-registry, iana-ipv6-special-registry). `ipaddress.is_global` is as old as the Python that runs."""

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, also when it is wrapped in one of IPv6's."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, _IPv6) and ip in _NAT64:
        ip = _IPv4(int(ip) & 0xFFFF_FFFF)
    if isinstance(ip, _IPv6) and ip not in _GLOBAL_UNICAST:
        return ip.ipv4_mapped is not None and is_public(str(ip.ipv4_mapped))
    if isinstance(ip, _IPv6) and ip.sixtofour is not None and not is_public(str(ip.sixtofour)):
        return False
    return not any(ip in network for network in _SPECIAL)


def is_in(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of the networks, also an IPv4 address that is written as one of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, _IPv6) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(network) for network in networks)
