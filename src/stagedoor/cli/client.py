"""The CLI speaks the REST contract, to the running instance or, when none runs, to the application in this process.

So there is one way in with one set of rules, and SQLite has one writer. The product is imported only
when none runs.
"""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import msgspec

from stagedoor.app.datafolder import DataFolder
from stagedoor.cli.options import set_up_logs
from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.settings.installation import Settings

PREFIX: Final = "/api/v1"
_TIMEOUT: Final = 60.0


class Refused(CallerMistake):
    """The API refused a request.

    Attributes:
        problem: Its problem document.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail", "The request failed.")))
        self.problem = problem


class Failed(Refused):
    """The API could not do what was asked."""

    exit_code = 1


class _Running(msgspec.Struct):
    url: str
    secret: str


def path(*parts: str) -> str:
    """A path under `/api/v1` with its parts quoted."""
    return "/".join(quote(part, safe="") for part in parts)


def call(settings: Settings, method: str, target: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
    """The answer to one request: decoded when it is JSON, a text when it is not, `None` when there is nothing.

    Raises:
        Refused: The request was refused, or could not be done.
        OperatorError: It could not be answered.
    """
    given = {key: value for key, value in (query or {}).items() if value is not None}
    url = f"{PREFIX}/{target}" + (f"?{urlencode(given, doseq=True)}" if given else "")
    status, content_type, answer = _call(settings, method, url, body)
    if status >= 300:
        problem: dict[str, Any] = msgspec.json.decode(answer)
        raise (Refused if status < 500 else Failed)(problem)
    if not answer:
        return None
    return msgspec.json.decode(answer) if "json" in content_type else answer.decode()


def _call(settings: Settings, method: str, url: str, body: Any) -> tuple[int, str, bytes]:
    if settings.database_url is None and not settings.data_dir.is_dir():
        raise CallerMistake(f"There is no installation in {settings.data_dir}; `stagedoor up` makes one.")
    folder = DataFolder(settings.data_dir)
    if folder.try_hold():
        try:
            return asyncio.run(_in_process(settings, folder, method, url, body))
        finally:
            folder.release()
    return _over_http(_running(folder.operator_file), method, url, body)


def _running(file: Path) -> _Running:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Running)
    except (OSError, msgspec.MsgspecError):
        raise OperatorError(
            "A Stagedoor runs on this data folder but cannot be spoken to yet; try again in a moment."
        ) from None


def _over_http(running: _Running, method: str, url: str, body: Any) -> tuple[int, str, bytes]:
    address = urlsplit(running.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
    headers = {"Authorization": f"Bearer {running.secret}"}
    sent = None
    if body is not None:
        sent, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
    try:
        connection.request(method, url, sent, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read()
    except (HTTPException, OSError) as error:
        raise OperatorError(f"The running Stagedoor at {running.url} does not answer: {error}.") from None
    finally:
        connection.close()


async def _in_process(
    settings: Settings, folder: DataFolder, method: str, url: str, body: Any
) -> tuple[int, str, bytes]:
    set_up_logs(settings)
    from stagedoor.api.application import build
    from stagedoor.app.service_factory import services_without_serving

    async with services_without_serving(settings, folder) as (services, operator):
        return await _asgi(build(services, []), method, url, operator, body)


async def _asgi(app: Any, method: str, url: str, secret: str, body: Any) -> tuple[int, str, bytes]:
    """One request to an ASGI application, without a socket."""
    target, _, query = url.partition("?")
    sent = b"" if body is None else msgspec.json.encode(body)
    headers = [
        (b"authorization", f"Bearer {secret}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(sent)).encode()),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": None,
        "server": None,
    }
    status, content_type = 500, ""
    answer = b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, content_type, answer
        if message["type"] == "http.response.start":
            status = message["status"]
            content_type = dict(message["headers"]).get(b"content-type", b"").decode()
        else:
            answer += message.get("body", b"")

    await app(scope, receive, send)
    return status, content_type, answer
