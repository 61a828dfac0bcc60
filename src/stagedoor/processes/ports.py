"""Whether a port is free, and who has it when it is not."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Literal

from stagedoor.processes.procinfo import all_pids, inspect, open_files

Protocol = Literal["tcp", "udp"]

_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_TCP_LISTEN = "0A"


def is_free(protocol: Protocol, host: str, port: int) -> bool:
    """Whether a server could take the port now. Blocks for microseconds.

    Args:
        protocol: The transport.
        host: An IP address; `::` also means every IPv4 address, as it does to a server written in Go.
        port: 1 to 65535.

    Raises:
        OSError: The address is not this machine's, or the port needs a privilege.
    """
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        if protocol == "tcp":
            # As servers do: connections of a former server that linger in TIME_WAIT are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            if protocol == "tcp":
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def owner(protocol: Protocol, port: int) -> str | None:
    """`name (process 123)` of the process that has the port, `None` when it cannot be seen. Blocks for a while."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(protocol, port)}
    if not wanted:
        return None
    for pid in all_pids():
        if open_files(pid) & wanted:
            info = inspect(pid)
            name = Path(info.argv[0]).name if info and info.argv else "a program"
            return f"{name} (process {pid})"
    return None


def _inodes(protocol: Protocol, port: int) -> set[str]:
    found: set[str] = set()
    for table in _TABLES[protocol]:
        try:
            lines = Path("/proc/net", table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) != port:
                continue
            if protocol == "udp" or fields[3] == _TCP_LISTEN:
                found.add(fields[9])
    return found
