"""Where a webhook may go: the URL's form when it is given to us, and the address that is really connected to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from stagedoor.kernel.addresses import is_public
from stagedoor.kernel.errors import Invalid

LONGEST_URL: Final = 2_000
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` has it."""

_IPv4 = ipaddress.IPv4Address


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


class CheckedResolver(AbstractResolver):
    """Resolves a name. One that has a private address, alone or beside public ones, is answered as one without any.

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
        if all(is_public(result["host"]) for result in found):
            return found
        # As for an unknown name: a tenant shall not learn which names the operator's network knows.
        raise OSError(f"{host} has an address that is not public")

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
