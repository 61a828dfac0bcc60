"""HTTP for FFmpeg: files, playlists and endless answers, over connections whose addresses were checked."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from stagedoor.kernel.http_challenges import Unsupported, choose
from stagedoor.streams.media.child.connecting import connect
from stagedoor.streams.media.child.media import StreamFailed

_MOST_REDIRECTS: Final = 5
_READ_SECONDS: Final = 10.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_PARTIAL: Final = 206
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_LONGEST_TYPE: Final = 80
_MP4: Final = b"ftyp"
"""The first box of a file (ISO/IEC 14496-12, 4.3)."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, and its connection."""

    socket: socket.socket
    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse

    def close(self) -> None:
        """Close both; an answer may outlive its connection."""
        self.response.close()
        self.connection.close()


class HttpSource:
    """Opens what FFmpeg asks for.

    Args:
        url: The URL that is pulled, with user and password: they are sent to its host alone.
        allowed_networks: The private networks that may be connected to.

    Attributes:
        has_length: Whether the last answer is one with an end.
        content_type: What the last answer says it is; empty when it says nothing.
        is_mp4_without_ranges: Whether the last answer is an MP4 that can be read from its beginning to its end only.
    """

    def __init__(self, url: str, allowed_networks: Sequence[str]) -> None:
        self._first = urlsplit(url)
        self._allowed = allowed_networks
        self._open: set[HttpFile] = set()
        self._lock = threading.Lock()
        self.has_length = False
        self.content_type = ""
        self.is_mp4_without_ranges = False

    def open(self, url: str, _flags: int, _options: dict[str, str]) -> HttpFile:
        """Open a URL, as PyAV calls it.

        Raises:
            StreamFailed: It cannot be read.
        """
        answer = self.request(url, 0)
        ranges = answer.response.getheader("Accept-Ranges", "").lower() == "bytes"
        kind = SeekableHttpFile if ranges and answer.response.length is not None else HttpFile
        made = kind(self, url, answer)
        self.has_length = made.has_length
        self.content_type = answer.response.getheader("Content-Type", "").partition(";")[0].strip()[:_LONGEST_TYPE]
        with self._lock:
            self._open = {one for one in self._open if not one.closed} | {made}
        return made

    def abort(self) -> None:
        """End all reading, from another thread."""
        with self._lock:
            for one in self._open:
                one.abort()

    def close(self) -> None:
        """Close all connections, when nothing reads any more."""
        with self._lock:
            for one in self._open:
                one.close()

    def request(self, url: str, position: int) -> Answer:
        """GET a URL from a position, through redirects.

        Raises:
            StreamFailed: It cannot be read.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            parts = urlsplit(url)
            answer = self._get(parts, position)
            status, location = answer.response.status, answer.response.getheader("Location")
            if status in {_OK, _PARTIAL}:
                return answer
            answer.close()
            if status not in _REDIRECTS or not location:
                raise _refused(parts, status, sent=self._first.username is not None)
            url = urljoin(url, location)
        raise StreamFailed("source_failed", f"{self._first.hostname} redirects more than {_MOST_REDIRECTS} times.")

    def _get(self, url: SplitResult, position: int) -> Answer:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"User-Agent": "Stagedoor", "Accept": "*/*"}
        if position:
            headers["Range"] = f"bytes={position}-"
        answer = self._once(url, target, headers)
        same_host = (url.hostname, url.port) == (self._first.hostname, self._first.port)
        if answer.response.status != _UNAUTHORIZED or self._first.username is None or not same_host:
            return answer
        answer.close()
        try:
            challenge = choose(answer.response.headers.get_all("WWW-Authenticate") or [])
        except Unsupported as offered:
            raise StreamFailed("auth_failed", f"{url.hostname} wants a login that cannot be had: {offered}.") from None
        user, password = unquote(self._first.username), unquote(self._first.password or "")
        headers["Authorization"] = challenge.answer(user, password, "GET", target)
        return self._once(url, target, headers)

    def _once(self, url: SplitResult, target: str, headers: dict[str, str]) -> Answer:
        scheme, host = url.scheme.lower(), url.hostname or ""
        if scheme not in _PORTS:
            raise StreamFailed(
                "source_failed",
                f"A playlist or redirect leads to a URL of {scheme or 'no scheme'}; http and https are followed.",
            )
        port = url.port or _PORTS[scheme]
        connection = http.client.HTTPConnection(host, port)
        made = connection.sock = connect(host, port, self._allowed, tls=scheme == "https")
        made.settimeout(_READ_SECONDS)
        try:
            connection.request("GET", target, headers=headers)
            return Answer(made, connection, connection.getresponse())
        except TimeoutError as error:
            connection.close()
            message = f"{host} takes the connection, but does not answer within {_READ_SECONDS:.0f} seconds."
            raise StreamFailed("source_timeout", message, retry=True) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            raise StreamFailed("source_failed", f"{host} does not answer as HTTP: {error}.", retry=True) from error


class HttpFile:
    """What a URL answers, from its beginning on."""

    has_ranges = False

    def __init__(self, source: HttpSource, url: str, answer: Answer) -> None:
        self.name = url
        self.closed = False
        self._source = source
        self._answer = answer
        self.has_length = answer.response.length is not None
        self._length = answer.response.length or 0
        self._position = 0

    def read(self, size: int) -> bytes:
        """Read what there is, at most so much."""
        try:
            data = self._answer.response.read1(size)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if self.closed:
                return b""
            raise StreamFailed("source_failed", "The source sends nothing any more.", retry=True) from error
        if not self._position:
            self._source.is_mp4_without_ranges = data[4:8] == _MP4 and not self.has_ranges
        self._position += len(data)
        return data

    def abort(self) -> None:
        """End reading, from another thread."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._answer.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self._answer.close()


class SeekableHttpFile(HttpFile):
    """A file of a server that gives parts of it."""

    has_ranges = True

    def seek(self, offset: int, origin: int = io.SEEK_SET) -> int:
        """Go on elsewhere."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[origin]
        if base + offset != self._position:
            self._position = base + offset
            self._answer.close()
            if self._position < self._length:
                self._answer = self._source.request(self.name, self._position)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position


def _refused(url: SplitResult, status: int, *, sent: bool) -> StreamFailed:
    if status == _UNAUTHORIZED and not sent:
        return StreamFailed(
            "auth_failed", f"{url.hostname} asks for a user and a password; write them into the URL: user:password@…"
        )
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return StreamFailed("auth_failed", f"{url.hostname} refuses the user or the password: status {status}.")
    return StreamFailed("source_failed", f"{url.hostname} answers with status {status}.", retry=True)
