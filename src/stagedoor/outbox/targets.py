"""Where a webhook may go: the URL's form when it is given to us, and the address that is really connected to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from stagedoor.kernel.errors import Invalid

LONGEST_URL: Final = 2_000
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

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` has it."""

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address


class RefusedTarget(OSError):
    """The address is one of the operator's own network."""


def check_url(url: str, *, allow_private: bool) -> str:
    """The URL, if a webhook may be sent to one of its form.

    Raises:
        Invalid: It is not https (http is for private targets, where they are allowed), has a user or a password in it,
            or names a private address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("it is not a URL") from None
    host = _host(url)
    if len(url) > LONGEST_URL or not host or not url.isprintable() or " " in url or port == 0:
        raise _invalid("it is not a URL")
    if parts.scheme not in ({"https", "http"} if allow_private else {"https"}):
        raise _invalid("it must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise _invalid("a user or password in it would be shown to every reader of the webhook")
    if parts.fragment:
        raise _invalid("a fragment (#…) is never sent")
    if not allow_private and _is_private_host(host):
        raise _invalid("its host is a private address")
    return url


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


class CheckedResolver(AbstractResolver):
    """Resolves a name and refuses it if any of its addresses is private. A name that has no other addresses is
    answered as a name without any.

    What it returns is what is connected to, so a name that changes its address between a check and the connection gains
    nothing. aiohttp does not ask it about a host that is an address already: `check_host` does, and `checked_socket`
    has the last word about each.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        private = [result for result in found if not is_public(result["host"])]
        if not private:
            return found
        if len(private) < len(found):
            kind = "AAAA" if private[0]["family"] == socket.AF_INET6 else "A"
            raise RefusedTarget(f"{host} has public addresses, but also a private one in its {kind} record; remove it.")
        # As for an unknown name: a tenant shall not learn which names the operator's network knows.
        raise OSError(f"{host} has no public address")

    async def close(self) -> None:
        await self._resolver.close()


def checked_socket(address: AddressInfo) -> socket.socket:
    """The socket for a connection to the address; aiohttp asks for it right before it connects.

    Raises:
        RefusedTarget: The address is private.
    """
    family, kind, protocol, _, place = address
    if not is_public(str(place[0])):
        raise RefusedTarget(f"{place[0]} is a private address.")
    return socket.socket(family, kind, protocol)


def check_host(url: str) -> None:
    """Refuse a URL whose host is a private address.

    Raises:
        RefusedTarget: It is.
    """
    host = _host(url)
    if _is_private_host(host):
        raise RefusedTarget(f"{host} is a private address.")


def _host(url: str) -> str:
    """The host as aiohttp connects to it: IDNA makes 127.0.0.1 of digits in circles, and localhost of other letters."""
    try:
        return (URL(url).raw_host or "").rstrip(".")
    except ValueError:
        return ""


def _is_private_host(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        # As the system's resolver reads them: 127.1, 0x7f000001 and 2130706433 are addresses too.
        packed = socket.inet_aton(host)
    except OSError:
        packed = b""
    if packed:
        return not is_public(str(_IPv4(packed)))
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a name; what it means is checked when it is connected to
    return not is_public(host)


def _invalid(why: str) -> Invalid:
    return Invalid(f"This URL cannot be a webhook's: {why}.", code="bad_webhook_url")
