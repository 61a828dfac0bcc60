"""While no LiveKit runs: can its UDP port be taken on the local address, and does a datagram come through?"""

from __future__ import annotations

import errno
import socket
from typing import Final

from stagedoor.doctor.result import CheckResult, broken, ok, warning
from stagedoor.mediaserver.config import ManagedConfig

CHECK = "udp"
_TIMEOUT_SECONDS: Final = 1.0
_HELLO: Final = b"stagedoor"


def check(config: ManagedConfig) -> list[CheckResult]:
    """Send ourselves a datagram at every node IP, on LiveKit's port. Blocks for a second at the most."""
    return [_one(host, config.udp_port) for host in config.node_ip.split(",")]


def _one(host: str, port: int) -> CheckResult:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as here, socket.socket(family, socket.SOCK_DGRAM) as there:
            here.bind((host, port))
            here.settimeout(_TIMEOUT_SECONDS)
            there.sendto(_HELLO, (host, port))
            arrived = here.recv(len(_HELLO)) == _HELLO
    except TimeoutError:
        arrived = False
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return warning(
                CHECK,
                f"{host} is no address of this machine, so nothing could be tried here.",
                f"Behind NAT this is as it should be: forward UDP port {port} to this machine. Otherwise correct"
                " STAGEDOOR_NODE_IP.",
            )
        return broken(
            CHECK,
            f"UDP port {port} cannot be taken on {host}: {error.strerror}.",
            "End the program that has it, or choose another with STAGEDOOR_LIVEKIT_UDP_PORT.",
        )
    if not arrived:
        return broken(
            CHECK,
            f"A datagram to {host}:{port} does not come back to this machine.",
            f"Let UDP port {port} in on this machine's firewall.",
        )
    return ok(
        CHECK,
        f"UDP port {port} is free on {host} and datagrams come through. LiveKit itself was not asked, it does not run.",
    )
