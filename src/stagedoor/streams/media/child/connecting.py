"""Connections to the sources of pulled URLs: the address that is connected to is the one that was checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Final

from stagedoor.kernel.addresses import is_in
from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.pulled_addresses import refusal

CONNECT_SECONDS: Final = 8.0
"""For each address of a name, and for TLS."""
_MOST_ADDRESSES: Final = 4


def connect(host: str, port: int, allowed_networks: Sequence[str], *, tls: bool = False) -> socket.socket:
    """A connection to a host, whose every address may be connected to.

    A certificate is checked, except at addresses that the operator has listed: cameras there sign their own.

    Args:
        host: A name or an address.
        port: Its port.
        allowed_networks: The networks that the operator has listed.
        tls: Whether TLS is spoken.

    Raises:
        StreamFailed: It cannot be reached, or an address of it may not be.
    """
    addresses = _resolve(host, port)
    for address in addresses:
        _check(host, address, allowed_networks)
    failure: OSError | None = None
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            connection = socket.create_connection((address, port), CONNECT_SECONDS)
        except OSError as error:
            failure = error
            continue
        try:
            return _with_tls(connection, host, trusted=is_in(address, allowed_networks)) if tls else connection
        except TimeoutError as error:
            connection.close()
            message = f"{host} takes the connection, but does not answer within {CONNECT_SECONDS:.0f} seconds."
            raise StreamFailed("source_timeout", message, retry=True) from error
        except OSError as error:
            connection.close()
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", None) or str(error)
            raise StreamFailed("source_failed", f"TLS with {host} failed: {reason}.", retry=True) from error
    reason = "no answer" if isinstance(failure, TimeoutError) else (failure and failure.strerror) or str(failure)
    raise StreamFailed("source_failed", f"{host}:{port} cannot be reached: {reason}.", retry=True) from failure


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StreamFailed("source_failed", f"The name {host} has no address.", retry=True) from error
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def _check(host: str, address: str, allowed_networks: Sequence[str]) -> None:
    why = refusal(host, address, allowed_networks)
    if why is not None:
        raise StreamFailed("address_not_allowed", why)


def _with_tls(connection: socket.socket, host: str, *, trusted: bool) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    if trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
