"""Plain ASGI middleware that answers a repeated POST as the first one was answered."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import structlog
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagedoor.api.authentication import authenticated, scope_of
from stagedoor.api.idempotency import store
from stagedoor.api.idempotency.store import Kept
from stagedoor.api.problems import TOO_LARGE, render, storage_unavailable
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import BadRequest, Conflict, Invalid, Problem, StorageUnavailable, TooLarge
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy.principals import Principal

_log = structlog.get_logger()

HEADER: Final = b"idempotency-key"
_LONGEST_KEY: Final = 255
_ABANDONED_MS: Final = 60_000  # an answer that takes longer died with its process
LARGEST_ANSWER: Final = 262_144
"""Bytes of an answer that is kept; of a larger one the status is."""

_TRIMMED_AFTER: Final = 16
"""Answers of a key are counted each time that a sixteenth of what may be kept was added."""


class IdempotencyMiddleware:
    """Answers kept per API key and `Idempotency-Key`, sealed, because an answer may hold a secret."""

    def __init__(self, app: ASGIApp, services: Services, prefix: str) -> None:
        self._app = app
        self._services = services
        self._prefix = prefix
        self._added: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not self._takes(scope["path"]):
            await self._app(scope, receive, send)
            return
        key = next((value for name, value in scope["headers"] if name == HEADER), None)
        if key is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._answer(scope, receive, key)
        except Problem as problem:
            response = render(problem)
        except StorageUnavailable as error:
            response = storage_unavailable(error)
        await response(scope, receive, send)

    def _takes(self, path: str) -> bool:
        """Answers of `/auth` set cookies, which belong to one browser and one moment."""
        return path.startswith(self._prefix) and not path.startswith(f"{self._prefix}auth/")

    async def _answer(self, scope: Scope, receive: Receive, raw_key: bytes) -> Response:
        request = Request(scope, receive)
        key = raw_key.decode("latin-1")
        if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
            raise BadRequest("Idempotency-Key has 1 to 255 printable characters.", code="bad_idempotency_key")
        caller = await authenticated(self._services, scope)
        try:
            body = await request.body()
        except ClientDisconnect:
            raise BadRequest("The body ended too early.", code="body_cut_off") from None
        except HTTPException:
            raise TooLarge(TOO_LARGE) from None  # the limit's way to stop the reading of a body
        target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}\n"
        if caller.kind in {"session", "token"}:  # a user may act in several organisations
            target += f"{caller.organisation_id}\n"
        fingerprint = hashlib.sha256(target.encode() + body).hexdigest()
        kept = await self._begin(caller.key_id, key, fingerprint)
        if kept is not None:
            return self._again(scope, caller, kept, fingerprint)
        return await self._first(scope, body, caller.key_id, key)

    async def _begin(self, key_id: str, key: str, fingerprint: str) -> Kept | None:
        """What is known of the request; `None` when it is ours to answer."""
        now = now_ms()
        oldest = now - self._services.settings.idempotency_ttl * 1000

        def begin(tx: Transaction) -> Kept | None:
            store.delete_before(tx, oldest)
            kept = store.find(tx, key_id, key)
            if kept is not None and (kept.status is not None or kept.created_at > now - _ABANDONED_MS):
                return kept
            if kept is not None:
                store.forget(tx, key_id, key)
            store.begin(tx, key_id, key, fingerprint, now)
            return None

        try:
            return await self._services.database.write(begin)
        except IntegrityError:
            return Kept(fingerprint, now, None, None, None)

    def _again(self, scope: Scope, caller: Principal, kept: Kept, fingerprint: str) -> Response:
        needed = _needed_scope(scope)
        if needed is not None:
            caller.require(needed)  # which the key may have lost since
        if kept.fingerprint != fingerprint:
            raise Invalid("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
        if kept.status is not None and kept.sealed_body is None:
            raise Conflict(
                f"This request was answered {kept.status}, and nothing was done again. The answer had more than"
                f" {LARGEST_ANSWER} bytes and was not kept.",
                code="idempotency_answer_too_large",
                extra={"limit": LARGEST_ANSWER},
            )
        body = None if kept.sealed_body is None else self._services.sealer.open(kept.sealed_body)
        if kept.status is None or body is None:
            raise Conflict(
                "A request with this Idempotency-Key is being answered; try again shortly.",
                code="idempotency_in_progress",
                headers={"Retry-After": "1"},
            )
        return Response(body, kept.status, media_type=kept.media_type, headers={"Idempotency-Replayed": "true"})

    async def _first(self, scope: Scope, body: bytes, key_id: str, key: str) -> Response:
        answer = _Recorder()
        database = self._services.database
        try:
            await self._app(scope, _replayed(body), answer)
        except BaseException:
            await database.write(lambda tx: store.forget(tx, key_id, key))
            raise
        status = answer.status
        try:
            if 200 <= status < 300:
                await self._keep(key_id, key, answer)
            else:  # nothing was done: what was wrong may be right the next time
                await database.write(lambda tx: store.forget(tx, key_id, key))
        except StorageUnavailable as error:
            # What was done is done: the caller gets the true answer, and a repetition is answered 409.
            _log.warning("idempotent_response_not_stored", error=str(error))
        response = Response(answer.body, status)
        response.raw_headers = answer.headers
        return response

    async def _keep(self, key_id: str, key: str, answer: _Recorder) -> None:
        sealed = self._services.sealer.seal(answer.body) if len(answer.body) <= LARGEST_ANSWER else None
        most = self._services.settings.idempotency_max_bytes
        added = self._added.get(key_id, 0) + store.size_of(sealed)
        full = added >= most // _TRIMMED_AFTER

        def keep(tx: Transaction) -> None:
            store.finish(tx, key_id, key, answer.status, answer.media_type, sealed)
            if full:
                store.trim(tx, key_id, most)

        await self._services.database.write(keep)
        self._added[key_id] = 0 if full else added


class _Recorder:
    """Takes the application's answer down."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    @property
    def media_type(self) -> str:
        return next((value.decode("latin-1") for name, value in self.headers if name == b"content-type"), "")

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _replayed(body: bytes) -> Receive:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _needed_scope(scope: Scope) -> str | None:
    """The scope that the request's route asks for."""
    for route in scope["app"].routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return scope_of(route)
    return None
