"""Sends one message once, and says what came of it in one word and a sentence."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urljoin

from aiohttp.abc import AbstractResolver
from yarl import URL

from stagedoor import __version__
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.texts import escaped
from stagedoor.outbox import targets
from stagedoor.outbox.connecting import Connector, HandshakeFailed, Unreachable, Unresolved
from stagedoor.outbox.failures import os_reason, tls_reason
from stagedoor.outbox.nouns import AttemptResult, Outcome
from stagedoor.outbox.response import HEADER_CHARACTERS, ResponseReader, readable
from stagedoor.outbox.signing import signed_headers
from stagedoor.outbox.targets import RefusedTarget

_BODY_SECONDS: Final = 1.0
"""How long the beginning of a body is waited for, once the head is there."""

LONGEST_DETAIL: Final = 1_000
"""Characters of the sentence that says what came of an attempt: some of them are the endpoint's."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Sender:
    """Sends messages to endpoints, each over a connection of its own: one that an endpoint closes after its answer
    would break the next message, for no fault of its. Made on the running event loop.

    Args:
        allow_private: Whether private and loopback addresses may be connected to.
        timeout_seconds: For all of an attempt, from the name's resolution to the end of the answer.
        tls: Whom to trust; by default whom the system trusts.
        resolver: Finds addresses; by default the system's.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout_seconds: float,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout_seconds = timeout_seconds
        self._connector = Connector(allow_private=allow_private, tls=tls, resolver=resolver)

    async def close(self) -> None:
        await self._connector.close()

    async def send(self, url: str, message_id: str, body: bytes, signers: Sequence[str]) -> AttemptResult:
        """POST `body`; whatever happens is an answer."""
        at = now_ms()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Stagedoor/{__version__}",
            **signed_headers(message_id, at // 1000, body.decode(), signers),
        }
        began = time.monotonic()
        target = URL(url)
        outcome, detail, reader = await self._exchange(target, _request(target, headers, body))
        answered = reader is not None and reader.status is not None
        return AttemptResult(
            outcome,
            at,
            int((time.monotonic() - began) * 1000),
            escaped(detail)[:LONGEST_DETAIL],
            headers,
            reader.status if reader is not None else None,
            reader.headers if reader is not None and answered else None,
            readable(reader.body) if reader is not None and answered else None,
            _retry_after(_header(reader.headers, "retry-after")) if reader is not None else None,
        )

    async def _exchange(self, url: URL, request: bytes) -> tuple[Outcome, str, ResponseReader | None]:
        host = url.raw_host or ""
        reader: ResponseReader | None = None
        try:
            if not self._allow_private:
                targets.check_host(str(url))
            async with asyncio.timeout(self._timeout_seconds) as limit:
                transport, reader = await self._connector.connect(url, ResponseReader)
                try:
                    transport.write(request)
                    await reader.answered
                    soon = asyncio.get_running_loop().time() + _BODY_SECONDS
                    limit.reschedule(min(soon, limit.when() or soon))
                    await reader.ended
                finally:
                    transport.abort()
        except TimeoutError:
            if reader is None or reader.status is None:
                return "timeout", f"There was no answer within {self._timeout_seconds:g} s.", reader
        except RefusedTarget as error:
            return "refused_target", str(error), None
        except Unresolved:
            more = "" if self._allow_private else ", or one that is not public"
            return "dns", f"The name {host} has no address{more}.", None
        except Unreachable as failure:
            return "connection", f"The connection failed: {os_reason(failure.error)}.", None
        except HandshakeFailed as failure:
            return "tls", f"TLS failed: {tls_reason(failure.error, host)}.", None
        return *_verdict(url, reader), reader


def _request(url: URL, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of the request. What is in `headers` is ours, and yarl escapes what is in the URL."""
    lines = [
        f"POST {url.raw_path_qs} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Accept: */*",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _verdict(url: URL, reader: ResponseReader) -> tuple[Outcome, str]:
    """The outcome by the status line alone: who sent a 2xx has taken the message, whatever the rest looks like."""
    status = reader.status
    if status is None:
        return _no_status(url, reader)
    problem = ""
    if reader.problem is not None:
        problem = f" Its answer could not be read after the status line: {reader.problem}."
    if 200 <= status < 300:
        return "ok", f"Delivered.{problem}"
    location = _header(reader.headers, "location")
    if status in _REDIRECTS and location:
        return "status", f"The endpoint answered {status}: it redirects to {_target(url, location)}; use that address."
    return "status", f"The endpoint answered {status}.{problem}"


def _target(url: URL, location: str) -> str:
    try:
        return urljoin(str(url), location)[:HEADER_CHARACTERS]
    except ValueError:  # such as an IPv6 address without its second bracket
        return location[:HEADER_CHARACTERS]


def _no_status(url: URL, reader: ResponseReader) -> tuple[Outcome, str]:
    error = reader.error
    if isinstance(error, ssl.SSLError):
        return "tls", f"TLS failed: {tls_reason(error, url.raw_host or '')}."
    if error is not None:
        return "connection", f"The connection broke before an answer came: {os_reason(error)}."
    if reader.received == 0:
        return "connection", "The endpoint closed the connection without an answer."
    return "connection", f"The endpoint's answer has no status: {reader.problem}."


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _retry_after(value: str) -> float | None:
    """Seconds; the header's other form, a date, is not for retries of minutes."""
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None
