"""The handshake: C0 to C2 in, S0 to S2 out."""

from __future__ import annotations

import secrets
from typing import Final

from stagedoor.sources.rtmp.digest import answer, signature, signed
from stagedoor.sources.rtmp.errors import ProtocolError

PACKET: Final = 1536
_PLAIN: Final = 3
_SERVER_VERSION: Final = bytes((3, 5, 1, 1))


class Handshake:
    """The server's side of one handshake.

    Attributes:
        done: Whether C2 has come: what follows are chunks.
    """

    def __init__(self) -> None:
        self.done = False
        self._buffer = bytearray()
        self._answered = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes of the client.

        Returns:
            What to send, and what came after the handshake.

        Raises:
            ProtocolError: The client does not speak plain RTMP.
        """
        self._buffer += data
        self._check_version()
        sent = b""
        if not self._answered and len(self._buffer) > PACKET:
            sent = self._respond(bytes(self._buffer[1 : PACKET + 1]))
            self._answered = True
        if len(self._buffer) < 1 + 2 * PACKET:
            return sent, b""
        # C2 repeats S1, and what encoders send in its place is often something else, so it is not compared.
        self.done = True
        rest = bytes(self._buffer[1 + 2 * PACKET :])
        self._buffer.clear()
        return sent, rest

    def _check_version(self) -> None:
        version = self._buffer[0] if self._buffer else _PLAIN
        if version in (6, 8, 9):
            raise ProtocolError("rtmpe", "The client wants RTMPE, an encryption that protects nothing; use rtmps://.")
        if version != _PLAIN:
            raise ProtocolError("not_rtmp", f"The connection begins with the byte {version}, not with RTMP's 3.")

    def _respond(self, first: bytes) -> bytes:
        """S0, S1 and S2: signed if the client's first packet is, and else with its first packet repeated.

        A client that sends no signature takes a version of 0 as "without signatures".
        """
        found = signature(first) if first[4:8] != bytes(4) else None
        if found is None:
            return bytes((_PLAIN,)) + bytes(8) + secrets.token_bytes(PACKET - 8) + first
        digest, scheme = found
        second = signed(bytes(4) + _SERVER_VERSION + secrets.token_bytes(PACKET - 8), scheme)
        return bytes((_PLAIN,)) + second + answer(secrets.token_bytes(PACKET - 32), digest)
