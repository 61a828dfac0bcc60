"""HTTP for cameras that serve pictures, in the main process: nothing is decoded, so no worker is needed.

The address that is connected to is the one that was checked, for each connection and after each redirect.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from stagedoor.kernel.addresses import is_in
from stagedoor.kernel.errors import StagedoorError
from stagedoor.kernel.http_challenges import Challenge, Unsupported, choose
from stagedoor.streams.media.pulled_addresses import refusal

MOST_REDIRECTS: Final = 5
CONNECT_SECONDS: Final = 8.0
"""For each address of a name."""

ANSWER_SECONDS: Final = 20.0
"""From the beginning of a connection to the head of its answer, redirects and the login included."""

_READ_BYTES: Final = 262_144
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_HEADERS: Final = {
    "User-Agent": "Stagedoor",
    "Accept": "multipart/x-mixed-replace, image/jpeg, */*;q=0.5",
    "Accept-Encoding": "identity",
}


class SourceFailed(StagedoorError):
    """The source cannot be read; the error's message is a sentence for the person who set the URL.

    Attributes:
        code: For programs.
        retry: Whether another attempt may succeed.
    """

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retry = retry


class HttpClient:
    """Requests one URL, again and again. Made on the running event loop, and closed as a context.

    Args:
        url: The URL, with user and password: they are sent to its host alone.
        allowed_networks: The private networks that may be connected to.
    """

    def __init__(self, url: str, allowed_networks: Sequence[str]) -> None:
        parts = urlsplit(url)
        self._allowed = allowed_networks
        self._user = None if parts.username is None else unquote(parts.username)
        self._password = unquote(parts.password or "")
        self._first = _url(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
        self._challenge: Challenge | None = None
        self._found = _Found()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._found, use_dns_cache=False, limit=2),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_BYTES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @property
    def host(self) -> str:
        """The host of the URL, for messages."""
        return self._first.host or ""

    @asynccontextmanager
    async def get(self) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The answer with status 200, whose body is still to be read.

        Raises:
            SourceFailed: There is none.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._follow()
        except TimeoutError:
            words = f"{self.host} takes the connection, but does not answer within {ANSWER_SECONDS:.0f} seconds."
            raise SourceFailed("source_timeout", words, retry=True) from None
        try:
            yield answer
        finally:
            answer.close() if not answer.content.at_eof() else answer.release()

    async def _follow(self) -> aiohttp.ClientResponse:
        url = self._first
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._ask(url)
            location = answer.headers.get("Location")
            if answer.status == _OK:
                return answer
            answer.close()
            if answer.status not in _REDIRECTS or not location:
                raise _refused(url, answer.status, sent=self._user is not None)
            url = _url(urljoin(str(url), location))
        raise SourceFailed("source_failed", f"{self.host} redirects more than {MOST_REDIRECTS} times.")

    async def _ask(self, url: URL) -> aiohttp.ClientResponse:
        answer = await self._once(url)
        if answer.status != _UNAUTHORIZED or self._user is None or not self._is_first(url):
            return answer
        answer.close()
        try:
            self._challenge = choose(answer.headers.getall("WWW-Authenticate", []))
        except Unsupported as offered:
            raise SourceFailed("auth_failed", f"{url.host} wants a login that cannot be had: {offered}.") from None
        return await self._once(url)

    async def _once(self, url: URL) -> aiohttp.ClientResponse:
        trusted = await self._find(url)
        headers = dict(_HEADERS)
        if self._challenge is not None and self._user is not None and self._is_first(url):
            # The next answer to the same challenge: a camera that is polled is asked once.
            headers["Authorization"] = self._challenge.answer(self._user, self._password, "GET", url.raw_path_qs)
        try:
            return await self._session.get(url, headers=headers, allow_redirects=False, ssl=not trusted)
        except aiohttp.ClientConnectorError as error:
            kind = "TLS" if isinstance(error, aiohttp.ClientSSLError) else "Connecting"
            raise SourceFailed("source_failed", f"{kind} with {url.host} failed: {_why(error)}.", retry=True) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why = f"{url.host} does not answer as HTTP: {_why(error)}."
            raise SourceFailed("source_failed", why, retry=True) from error

    async def _find(self, url: URL) -> bool:
        """Look the host up and check all that it means; whether the operator has listed all of it: there a certificate
        is not checked, because cameras sign their own."""
        host, port = url.raw_host or "", url.port or 0
        if url.scheme not in {"http", "https"} or not host:
            raise SourceFailed(
                "source_failed",
                f"A redirect leads to a URL of {url.scheme or 'no scheme'}; http and https are followed.",
            )
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceFailed("source_failed", f"The name {host} has no address.", retry=True) from error
        addresses = [(family, str(place[0])) for family, _, _, _, place in found]
        for _, address in addresses:
            if (why := refusal(host, address, self._allowed)) is not None:
                raise SourceFailed("address_not_allowed", why)
        self._found.addresses[host] = addresses
        return all(is_in(address, self._allowed) for _, address in addresses)

    def _is_first(self, url: URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._first.scheme, self._first.host, self._first.port)


class _Found(AbstractResolver):
    """Answers with what was found and checked, so that nothing else is connected to."""

    def __init__(self) -> None:
        self.addresses: dict[str, Sequence[tuple[int, str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        del family
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in self.addresses.get(host, [])
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _url(text: str) -> URL:
    """The URL, its path and query as they are written: a digest is made of them.

    Raises:
        SourceFailed: It is none.
    """
    try:
        return URL(text, encoded=text.isascii())
    except ValueError:
        raise SourceFailed("source_failed", "A redirect leads to what is no URL.") from None


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _refused(url: URL, status: int, *, sent: bool) -> SourceFailed:
    if status == _UNAUTHORIZED and not sent:
        return SourceFailed(
            "auth_failed", f"{url.host} asks for a user and a password; write them into the URL: user:password@…"
        )
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return SourceFailed("auth_failed", f"{url.host} refuses the user or the password: status {status}.")
    return SourceFailed("source_failed", f"{url.host} answers with status {status}.", retry=True)
