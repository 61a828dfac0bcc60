"""HTTP as bytes, for requests that no client library would send."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit


async def exchange(url: str, request: bytes, *, close: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in small letters) and body of the answer to the raw request.

    Args:
        url: Whose host and port.
        request: What is sent.
        close: Whether our side of the connection is closed after it.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        if close:
            writer.write_eof()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await asyncio.wait_for(reader.readexactly(int(headers.get("content-length", "0"))), 20)
        return int(first.split()[1]), headers, body
    finally:
        writer.transport.abort()


def post(path: str, key: str, body: bytes, **headers: str) -> bytes:
    """A POST with a JSON body; a header set to the empty text is left out, and `_` is written for `-`."""
    given = {"Host": "x", "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    given |= {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in given.items() if value]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


def chunked(path: str, key: str, chunks: list[bytes], **headers: str) -> bytes:
    """The same with a body of unsaid length."""
    head = post(path, key, b"", **{"Content_Length": "", "Transfer_Encoding": "chunked"} | headers)
    head = head.replace(b"Content-Length: 0\r\n", b"")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def assert_problem(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, Any]:
    """Status and code of an answer that must be a problem document, and no failure of the server."""
    status, headers, body = answer
    assert 400 <= status < 500, (status, body)
    assert headers["content-type"] == "application/problem+json"
    document = json.loads(body)
    assert {"type", "title", "status", "code", "detail"} <= set(document)
    assert document["status"] == status
    assert document["detail"]
    return status, document["code"]
