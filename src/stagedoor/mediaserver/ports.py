"""Check that LiveKit's ports are free before it is started; an error names the flag that sets another port."""

from __future__ import annotations

import re

from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.processes.ports import Protocol, is_free, owner


def require_free_ports(config: ManagedConfig) -> None:
    """Return when all ports can be taken. Blocks for milliseconds: call in a thread.

    Raises:
        OperatorError: One is taken, or the address is not this machine's.
    """
    for protocol, host, port in _needed(config):
        try:
            free = is_free(protocol, host, port)
        except PermissionError as error:
            raise OperatorError(
                f"This user may not listen on {protocol.upper()} port {port};"
                f" give another one with {_flag(config, protocol, port)}."
            ) from error
        except OSError as error:
            raise OperatorError(
                f"LiveKit cannot listen on {host} ({error.strerror}); give an address of this machine."
            ) from error
        if not free:
            raise OperatorError(_taken(config, protocol, port))


def port_sentence(config: ManagedConfig, reason: str) -> str | None:
    """The sentence for a port, when LiveKit's own reason for ending is a port in use; None otherwise.

    Go says `listen tcp 127.0.0.1:7880: bind: address already in use`; the check before the start cannot see
    a program that takes the port right after it.
    """
    match = re.search(r"listen (tcp|udp)[46]? \S*:(\d+): bind: address already in use", reason)
    if match is None:
        return None
    return _taken(config, "udp" if match[1] == "udp" else "tcp", int(match[2]))


def _needed(config: ManagedConfig) -> list[tuple[Protocol, str, int]]:
    needed: list[tuple[Protocol, str, int]] = [("tcp", address, config.http_port) for address in config.bind_addresses]
    if config.tcp_port:
        needed.append(("tcp", "::" if _has_ipv6() else "0.0.0.0", config.tcp_port))  # noqa: S104 - only tried
    # LiveKit takes the UDP port on each address; the wildcard conflicts with any of them.
    needed.append(("udp", "127.0.0.1" if config.loopback else "0.0.0.0", config.udp_port))  # noqa: S104
    return needed


def _has_ipv6() -> bool:
    try:
        return is_free("udp", "::1", 0)
    except OSError:
        return False


def _taken(config: ManagedConfig, protocol: Protocol, port: int) -> str:
    by = owner(protocol, port)
    return (
        f"{protocol.upper()} port {port} is in use{f' by {by}' if by else ''};"
        f" end that program, or give LiveKit another port with {_flag(config, protocol, port)}."
    )


def _flag(config: ManagedConfig, protocol: Protocol, port: int) -> str:
    if protocol == "udp":
        return "--livekit-udp-port"
    return "--livekit-tcp-port" if port == config.tcp_port else "--livekit-port"
