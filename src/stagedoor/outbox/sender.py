"""Sends one message once, and says what came of it in one word and a sentence."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver

from stagedoor import __version__
from stagedoor.kernel.clock import now_ms
from stagedoor.outbox import targets
from stagedoor.outbox.nouns import Answered, Outcome
from stagedoor.outbox.signing import signed_headers
from stagedoor.outbox.targets import CheckedResolver, RefusedTarget

RESPONSE_BYTES: Final = 2_048
"""How much of an answer is read and kept."""

_HEADERS_KEPT: Final = 50


_NEVER: Final = 86_400.0
"""aiohttp rounds time-outs of more than five seconds up to whole ones, unless it is told from where on."""


class Sender:
    """Owns the connections to endpoints. Made on the running event loop.

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
        names = resolver or aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=names if allow_private else CheckedResolver(names),
            use_dns_cache=False,
            ssl=tls or True,
            family=socket.AF_UNSPEC,
            # A connection that an endpoint closes after its answer would break the next message, for no fault of its.
            force_close=True,
            socket_factory=None if allow_private else targets.checked_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds, ceil_threshold=_NEVER),
            skip_auto_headers=("Accept-Encoding",),
        )

    async def close(self) -> None:
        await self._session.close()

    async def send(self, url: str, message_id: str, body: bytes, signers: Sequence[str]) -> Answered:
        """POST `body`; whatever happens is an answer."""
        at = now_ms()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Stagedoor/{__version__}",
            **signed_headers(message_id, at // 1000, body.decode(), signers),
        }
        began = time.monotonic()

        def answered(outcome: Outcome, detail: str) -> Answered:
            return Answered(outcome, at, int((time.monotonic() - began) * 1000), detail, headers)

        try:
            if not self._allow_private:
                targets.check_host(url)
            return await self._post(url, body, headers, at, began)
        except TimeoutError:
            return answered("timeout", f"There was no whole answer within {self._timeout_seconds:g} s.")
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, RefusedTarget):
                return answered("refused_target", str(error.os_error))
            return answered("dns", f"The name {error.host} means no address.")
        except RefusedTarget as error:
            return answered("refused_target", str(error))
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError) as error:
            return answered("tls", f"TLS failed: {_tls_reason(error)}.")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, RefusedTarget):
                return answered("refused_target", str(error.os_error))
            return answered("connection", f"The connection failed: {_os_reason(error.os_error)}.")
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            return answered("connection", f"The connection broke: {str(error)[:200] or type(error).__name__}.")

    async def _post(self, url: str, body: bytes, headers: dict[str, str], at: int, began: float) -> Answered:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            read = await _excerpt(response.content)
            fine = 200 <= response.status < 300
            return Answered(
                "ok" if fine else "status",
                at,
                int((time.monotonic() - began) * 1000),
                "Delivered." if fine else f"The endpoint answered {response.status}.",
                headers,
                response.status,
                {name: value[:500] for name, value in list(response.headers.items())[:_HEADERS_KEPT]},
                read.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}"),
                _retry_after(response.headers.get("Retry-After", "")),
            )


async def _excerpt(content: aiohttp.StreamReader) -> bytes:
    read = b""
    while len(read) < RESPONSE_BYTES and (chunk := await content.read(RESPONSE_BYTES - len(read))):
        read += chunk
    return read


def _retry_after(value: str) -> float | None:
    """Seconds; the header's other form, a date, is not for retries of minutes."""
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _os_reason(error: OSError) -> str:
    """`Connection refused`, where asyncio says `Connect call failed` and the address."""
    return os.strerror(error.errno) if error.errno else str(error)[:200]


def _tls_reason(error: Exception) -> str:
    """What of the error tells a person something: `certificate verify failed: self-signed certificate`."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {inner.verify_message}"
    reason = getattr(inner, "reason", None)
    return str(reason or inner)[:200]
