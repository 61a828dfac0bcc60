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
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LOCAL: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible, RFC 4291
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
        "64:ff9b:1::/48",  # NAT64 of the operator's own, RFC 8215
    )
)
"""What nobody reaches over the internet, and Python holds to be global."""

_AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
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
        raise _invalid("a user or password in it would be shown to whoever reads it")
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
    if isinstance(ip, _IPv6) and (ip.is_site_local or any(ip in network for network in _LOCAL)):
        return False
    return all(one.is_global and not one.is_multicast for one in (ip, *_wrapped(ip)))


def _wrapped(ip: _IPv4 | _IPv6) -> list[_IPv4]:
    """IPv4 addresses that an IPv6 one leads to: mapped (RFC 4291), 6to4 (3056), Teredo (4380), NAT64 (6052)."""
    if isinstance(ip, _IPv4):
        return []
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        found.append(_IPv4(int(ip) & 0xFFFF_FFFF))
    return [one for one in found if one is not None]


class CheckedResolver(AbstractResolver):
    """Resolves a name and refuses it if any of its addresses is private.

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
        for result in found:
            if not is_public(result["host"]):
                raise RefusedTarget(f"{host} is at the private address {result['host']}.")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def checked_socket(address: _AddressInfo) -> socket.socket:
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
    return Invalid(f"This URL can't be a webhook's: {why}.", code="bad_webhook_url")
