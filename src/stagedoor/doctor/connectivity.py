"""Send ICE's connectivity check to a place where LiveKit takes media, and wait for the answer."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from typing import Final

from stagedoor.doctor.signalling import Candidate, IceOffer
from stagedoor.doctor.stun import binding_request, is_answer

_TIMEOUT_SECONDS: Final = 4.0
_AGAIN_SECONDS: Final = 0.2


async def answers(candidate: Candidate, offer: IceOffer) -> bool:
    """Whether LiveKit's ICE agent answered there."""
    transaction = secrets.token_bytes(12)
    request = binding_request(transaction, offer.username, offer.password)
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            if candidate.protocol == "udp":
                return await _over_udp(candidate, request, transaction)
            return await _over_tcp(candidate, request, transaction)
    except (TimeoutError, OSError, EOFError):
        return False


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, transaction: bytes) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transaction = transaction

    def datagram_received(self, data: bytes, addr: object) -> None:
        if is_answer(data, self._transaction) and not self.answered.done():
            self.answered.set_result(None)


async def _over_udp(candidate: Candidate, request: bytes, transaction: bytes) -> bool:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in candidate.host else socket.AF_INET
    transport, waiting = await loop.create_datagram_endpoint(
        lambda: _Waiting(transaction), remote_addr=(candidate.host, candidate.port), family=family
    )
    try:
        # The agent begins to answer a moment after it took our SDP, and datagrams get lost.
        while not waiting.answered.done():
            transport.sendto(request)
            await asyncio.wait({waiting.answered}, timeout=_AGAIN_SECONDS)
    finally:
        transport.close()
    return True


async def _over_tcp(candidate: Candidate, request: bytes, transaction: bytes) -> bool:
    """Each message has its length before it (RFC 4571, RFC 6544)."""
    reader, writer = await asyncio.open_connection(candidate.host, candidate.port)
    try:
        writer.write(struct.pack("!H", len(request)) + request)
        await writer.drain()
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            if is_answer(await reader.readexactly(length), transaction):
                return True
    finally:
        writer.close()
