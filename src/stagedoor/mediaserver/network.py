"""The addresses that LiveKit listens on and announces to clients, found without sending a packet."""

from __future__ import annotations

import ipaddress
import socket

from stagedoor.kernel.errors import CallerMistake

# Addresses for documentation (RFC 5737, RFC 3849). Connecting a UDP socket sends nothing; it only makes the
# kernel choose the address it would send from.
_DOCUMENTATION_ADDRESSES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def choose_network(http_host: str, node_ip: str | None) -> tuple[tuple[str, ...], str, bool]:
    """LiveKit's bind addresses, its node IP, and whether all clients are on this machine.

    LiveKit follows Stagedoor: what serves only this machine keeps its LiveKit on this machine. Blocks while a
    name is looked up: call it before the event loop runs, or in a thread.

    Args:
        http_host: The host that Stagedoor's HTTP server binds: an IP address, a name, or empty for all.
        node_ip: The address for media that the operator gave; behind NAT it is the public one.

    Raises:
        CallerMistake: `node_ip` is not an IP address, or `http_host` does not resolve to a local address.
    """
    bind = _bind_address(http_host)
    if node_ip is not None:
        return (bind,), _checked(node_ip), _is_loopback(node_ip)
    if _is_loopback(bind):
        return (bind,), "127.0.0.1", True
    if not ipaddress.ip_address(bind).is_unspecified:
        return (bind,), bind, False
    primary = primary_address()
    if primary is None:
        return (bind,), "127.0.0.1", True  # no network at all: only clients on this machine can connect
    return (bind,), primary, False


def primary_address() -> str | None:
    """The address this machine would reach others from, IPv4 first; None without any network."""
    for family, address in _DOCUMENTATION_ADDRESSES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue  # no route: a network without a gateway, or none
    return _first_of_hostname()


def _first_of_hostname() -> str | None:
    """For a network without a gateway: what /etc/hosts or the resolver has for this host name."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return None
    addresses = [str(entry[4][0]) for entry in found]
    return next((address for address in addresses if not _is_loopback(address)), None)


def _bind_address(http_host: str) -> str:
    host = http_host.strip("[]")
    if host == "":
        return "0.0.0.0"  # noqa: S104 - the operator asked for all addresses
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise CallerMistake(
            f"The host {http_host} does not resolve to a local address; give an IP address to listen on."
        ) from error


def _checked(node_ip: str) -> str:
    """LiveKit takes one IPv4 and one IPv6 address, with a comma (rtcconfig, `NodeIP.UnmarshalString`)."""
    try:
        parts = [ipaddress.ip_address(part.strip()) for part in node_ip.split(",")]
    except ValueError as error:
        raise CallerMistake(
            f"{node_ip} is not an IP address; give the address at which clients reach this machine."
        ) from error
    if len({part.version for part in parts}) != len(parts):
        raise CallerMistake(f"{node_ip} has two addresses of one kind; give one IPv4, one IPv6, or both.")
    if any(part.is_unspecified for part in parts):
        raise CallerMistake(f"{node_ip} is no address to reach this machine at; give a real one.")
    return ",".join(map(str, parts))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
