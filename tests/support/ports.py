"""Free ports for the servers that tests start, never the same for two of them."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
from collections.abc import Iterator
from functools import cache
from typing import Final

FIRST: Final = 20_000
END: Final = 32_000
"""Below the range from which the kernel takes ports for connections: between our looking and the server's listening one
of those goes to the next client, which on a busy machine was one start in thirty."""
BLOCK: Final = 300
"""Ports that one process hands out; twenty products started at once need 80."""

_CLAIMS: Final[list[socket.socket]] = []
"""Sockets that are bound and do not listen, as long as this process lives."""


def free_ports(count: int) -> list[int]:
    """Ports that nothing uses on any interface, for TCP and UDP alike, and that no other test is given.

    Tests run side by side, in processes of their own. A port that two of them found free would be taken by whichever
    server listens first, so each process has a block of its own and hands its ports out in turn: a port comes again
    only after all others of the block, and not while it is in use.
    """
    block = _block()
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        for port in itertools.islice(block, BLOCK):
            tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                tcp.bind(("", port))  # LiveKit listens for media on all interfaces
                udp.bind(("", port))
                found.append(port)
            if len(found) == count:
                break
    assert len(found) == count, "all ports that tests may use are in use"
    return found


@cache
def _block() -> Iterator[int]:
    """The ports of this process, without end: those of the first block whose first port it could take, and keeps."""
    starts = list(range(FIRST, END, BLOCK))
    random.shuffle(starts)
    for start in starts:
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind(("127.0.0.1", start))
        except OSError:
            claim.close()
            continue
        _CLAIMS.append(claim)
        return itertools.cycle(range(start + 1, start + BLOCK))
    raise AssertionError("all blocks of ports that tests may use are taken")
