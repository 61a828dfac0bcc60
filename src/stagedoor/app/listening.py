"""The listening socket, which is there before the server that serves it."""

from __future__ import annotations

import socket
from typing import Final

from stagedoor.kernel.errors import CallerMistake, OperatorError

_UNSENT_BYTES: Final = 16_384
_STALLED_SECONDS: Final = 60


def listen(host: str, port: int, name: str = "HTTP", flag: str = "--http") -> socket.socket:
    """A socket that takes connections, which wait in it until they are served.

    Args:
        host: An address of this machine, or a name of it.
        port: The port.
        name: The protocol, for messages.
        flag: What the operator changes to choose another address.

    Raises:
        CallerMistake: The host is no address of this machine.
        OperatorError: The port is taken, or this user may not have it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What it accepts inherits these. A viewer that stops reading has this much unsent in the kernel, not megabytes of
    # old pictures; and a client that takes nothing for a minute, or is not there any more, is disconnected.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_SECONDS * 1000)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except socket.gaierror:
        listening.close()
        raise CallerMistake(f"The host {host} does not resolve to a local address; change {flag}.") from None
    except OSError as error:
        listening.close()
        raise OperatorError(
            f"{name} cannot listen on {host}:{port} ({error.strerror}); end what uses it, or choose another with"
            f" {flag}."
        ) from None
    listening.setblocking(False)
    return listening
