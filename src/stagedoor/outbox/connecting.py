"""Connections to endpoints, one for each message: the name resolved, the address checked, TLS agreed on."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, TypeVar

import aiohappyeyeballs
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from stagedoor.outbox.targets import AddressInfo, CheckedResolver, RefusedTarget, checked_socket

_P = TypeVar("_P", bound=asyncio.Protocol)
_NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address has before the next one is tried beside it, as RFC 8305 recommends."""

_UNRESOLVED_SECONDS: Final = 1.0
"""When a name is answered as one without an address, however soon that is known: a name that the operator's network
knows is found sooner than one that nothing knows."""


class Unresolved(Exception):
    """The name has no address that may be connected to."""


class Unreachable(Exception):
    """No address took the connection.

    Attributes:
        error: Why.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class HandshakeFailed(Exception):
    """TLS was not agreed on.

    Attributes:
        error: Why.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Connector:
    """Opens connections. Made on the running event loop.

    Args:
        allow_private: Whether private and loopback addresses may be connected to.
        tls: Whom to trust; by default whom the system trusts.
        resolver: Finds addresses; by default the system's.
    """

    def __init__(
        self, *, allow_private: bool, tls: ssl.SSLContext | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        names = resolver or ThreadedResolver()
        self._resolver = names if allow_private else CheckedResolver(names)
        self._make_socket = None if allow_private else checked_socket
        self._unresolved_seconds = 0.0 if allow_private else _UNRESOLVED_SECONDS
        self._tls = tls or ssl.create_default_context()
        # A common name that looks like a host's is none since RFC 6125, and no browser takes it for one.
        self._tls.hostname_checks_common_name = False

    async def close(self) -> None:
        await self._resolver.close()

    async def connect(self, url: URL, protocol: Callable[[], _P]) -> tuple[asyncio.Transport, _P]:
        """A connection to the URL's host; the caller ends it.

        Raises:
            Unresolved: The name has no address, or one that may not be connected to.
            RefusedTarget: The address is private, and those are not allowed.
            Unreachable: No address took the connection.
            HandshakeFailed: TLS was not agreed on.
        """
        host, port = (url.raw_host or "").rstrip("."), url.port or 0
        connected = await self._tcp(host, port)
        tls = self._tls if url.scheme == "https" else None
        try:
            return await asyncio.get_running_loop().create_connection(
                protocol, sock=connected, ssl=tls, server_hostname=host if tls else None
            )
        except (OSError, ssl.CertificateError, EOFError) as error:
            raise HandshakeFailed(error) from error
        except BaseException:
            connected.close()
            raise

    async def _tcp(self, host: str, port: int) -> socket.socket:
        addresses = _numeric(host, port) or [_address(one) for one in await self._resolve(host, port)]
        try:
            return await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, socket_factory=self._make_socket
            )
        except RefusedTarget:
            raise
        except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError for some addresses
            raise Unreachable(error) from error

    async def _resolve(self, host: str, port: int) -> list[ResolveResult]:
        clock = asyncio.get_running_loop().time
        answer_at = clock() + self._unresolved_seconds
        try:
            found = await self._resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, ValueError):  # ValueError: a label of the name is too long
            found = []
        if not found:
            await asyncio.sleep(answer_at - clock())
            raise Unresolved(host)
        return found


def _numeric(host: str, port: int) -> list[AddressInfo]:
    """The address that the host is; empty when it is a name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return []
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    return [_info(family, host, port)]


def _address(one: ResolveResult) -> AddressInfo:
    return _info(socket.AddressFamily(one["family"]), one["host"], one["port"])


def _info(family: socket.AddressFamily, host: str, port: int) -> AddressInfo:
    place: tuple[Any, ...] = (host, port, 0, 0) if family == socket.AF_INET6 else (host, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place
