"""A relay on the loopback interface between FFmpeg and a source, so that FFmpeg opens no address by itself."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from typing import Final, Protocol

from stagedoor.streams.media.child.media import StreamFailed

_CHUNK_BYTES: Final = 1 << 16
_SEND_SECONDS: Final = 10.0
_ACCEPT_SECONDS: Final = 10.0


class Translator(Protocol):
    """What is done with the bytes on their way. An error of it is the end of the connection."""

    def from_client(self, data: bytes) -> bytes:
        """Translate what FFmpeg sends into what the source gets."""
        ...

    def from_source(self, data: bytes) -> tuple[bytes, bytes]:
        """Translate what the source sends into what FFmpeg gets, and what is answered to the source."""
        ...


class Unchanged:
    """A translator that changes nothing."""

    def from_client(self, data: bytes) -> bytes:
        return data

    def from_source(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class Relay:
    """One connection, on a thread of its own.

    Args:
        source: The connection to the source.
        translator: What is done with the bytes.

    Attributes:
        port: The port that FFmpeg connects to, once.
        failure: Why the connection was ended, when the translator did.
        silent: Whether the source has neither sent anything nor ended the connection.
    """

    def __init__(self, source: socket.socket, translator: Translator) -> None:
        self._source = source
        self._translator = translator
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._client: socket.socket | None = None
        self.port: int = self._listener.getsockname()[1]
        self.failure: StreamFailed | None = None
        self.silent = True
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connection, from any thread."""
        for one in (self._listener, self._source, self._client):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        try:
            self._listener.settimeout(_ACCEPT_SECONDS)
            self._client, _ = self._listener.accept()
            self._listener.close()
            self._pump(self._client)
        except StreamFailed as failure:
            self.failure = failure
        except (OSError, ValueError):
            pass  # either side is gone
        finally:
            self._source.close()
            if self._client is not None:
                self._client.close()

    def _pump(self, client: socket.socket) -> None:
        source = self._source
        for one in (client, source):
            one.settimeout(_SEND_SECONDS)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            pending = isinstance(source, ssl.SSLSocket) and source.pending() > 0
            readable = [source] if pending else select.select([client, source], [], [])[0]
            for one in readable:
                data = _receive(one)
                if data is None:
                    continue
                self.silent = self.silent and one is client
                if not data:
                    return
                if one is client:
                    source.sendall(self._translator.from_client(data))
                    continue
                to_client, to_source = self._translator.from_source(data)
                client.sendall(to_client)
                source.sendall(to_source)


def _receive(readable: socket.socket) -> bytes | None:
    """What has come; none when it was of TLS itself, which TLS 1.3 sends after its handshake too."""
    if not isinstance(readable, ssl.SSLSocket):
        return readable.recv(_CHUNK_BYTES)
    readable.settimeout(0)
    try:
        return readable.recv(_CHUNK_BYTES)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    finally:
        readable.settimeout(_SEND_SECONDS)
