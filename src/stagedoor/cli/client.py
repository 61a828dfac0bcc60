"""The CLI speaks the REST contract, to the running instance or, when none runs, to the application in this process.

So there is one way in with one set of rules, and SQLite has one writer whoever calls.
"""

from __future__ import annotations

import asyncio
import secrets as chance
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

import aiohttp
import msgspec

from stagedoor.api.application import build
from stagedoor.api.prefix import PREFIX
from stagedoor.app.datafolder import DataFolder
from stagedoor.app.network import lay_out
from stagedoor.app.parts import make_parts
from stagedoor.kernel.errors import CallerMistake, OperatorError, StorageUnavailable
from stagedoor.settings.installation import Settings
from stagedoor.storage import migrate, open_database

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5)


class _Running(msgspec.Struct):
    url: str
    secret: str


def path(*parts: str) -> str:
    """A path under `/api/v1` with its parts quoted."""
    return "/".join(quote(part, safe="") for part in parts)


def call(settings: Settings, method: str, target: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
    """The decoded answer to one request.

    Raises:
        CallerMistake: The request was refused.
        OperatorError: It could not be answered.
    """
    given = {key: value for key, value in (query or {}).items() if value is not None}
    url = f"{PREFIX}/{target}" + (f"?{urlencode(given)}" if given else "")
    status, answer = asyncio.run(_call(settings, method, url, body))
    if status < 300:
        return msgspec.json.decode(answer) if answer else None
    problem: dict[str, Any] = msgspec.json.decode(answer)
    sentence = str(problem.get("detail", "The request failed."))
    raise (CallerMistake if status < 500 else OperatorError)(sentence)


async def _call(settings: Settings, method: str, url: str, body: Any) -> tuple[int, bytes]:
    if settings.database_url is None and not settings.data_dir.is_dir():
        raise CallerMistake(f"There is no installation in {settings.data_dir}; `stagedoor up` makes one.")
    folder = DataFolder(settings.data_dir)
    if folder.try_hold():
        try:
            return await _in_process(settings, folder, method, url, body)
        finally:
            folder.release()
    return await _over_http(_running(folder.operator_file), method, url, body)


def _running(file: Path) -> _Running:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Running)
    except (OSError, msgspec.MsgspecError):
        raise OperatorError(
            "A Stagedoor runs on this data folder but can't be spoken to yet; try again in a moment."
        ) from None


async def _over_http(running: _Running, method: str, url: str, body: Any) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {running.secret}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.request(method, running.url + url, json=body) as answer,
        ):
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise OperatorError(f"The running Stagedoor at {running.url} does not answer: {error}.") from None


async def _in_process(settings: Settings, folder: DataFolder, method: str, url: str, body: Any) -> tuple[int, bytes]:
    configured = settings.database_url
    database_url = configured.get_secret_value() if configured else folder.database_url
    secrets = folder.secrets()
    operator = chance.token_urlsafe(32)
    try:
        await migrate(database_url)
        database = await open_database(database_url)
    except StorageUnavailable as error:
        raise OperatorError(f"The database can't be used: {error}") from None
    parts, _ = make_parts(
        settings, secrets, lay_out(settings, secrets), database, operator, lambda: "Stagedoor does not run."
    )
    try:
        return await _asgi(build(parts, []), method, url, operator, body)
    finally:
        await parts.gateway.close()
        await parts.sender.close()
        await database.close()


async def _asgi(app: Any, method: str, url: str, secret: str, body: Any) -> tuple[int, bytes]:
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
    status = 500
    answer = b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, answer
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            answer += message.get("body", b"")

    await app(scope, receive, send)
    return status, answer
