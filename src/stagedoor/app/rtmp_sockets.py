"""The listening sockets of RTMP and RTMPS, and the certificate, before the server that serves them is imported."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from stagedoor.app.listening import listen
from stagedoor.kernel.settings import OFF
from stagedoor.settings.installation import Settings


@dataclass(frozen=True, slots=True)
class RtmpSocket:
    """One of them.

    Attributes:
        tls_only: Whether it is for RTMPS alone.
    """

    socket: socket.socket
    tls_only: bool


def listen_rtmp(settings: Settings) -> list[RtmpSocket]:
    """The sockets that the settings ask for; none when RTMP is off.

    Raises:
        OperatorError: One of them cannot be had; there is none then.
    """
    made: list[RtmpSocket] = []
    wanted = (
        (settings.rtmp_listen, "RTMP", "--rtmp, or turn it off"),
        (settings.rtmps_listen, "RTMPS", "rtmps_listen"),
    )
    try:
        for address, name, change in wanted:
            if address != OFF:
                host, _, port = address.rpartition(":")
                made.append(RtmpSocket(listen(host.strip("[]"), int(port), name, change), name == "RTMPS"))
    except BaseException:
        for each in made:
            each.socket.close()
        raise
    return made
