"""Receive one webhook: verify the raw bytes, keep the event, answer. Nothing else happens before the answer."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

from stagedoor.inbox import store
from stagedoor.inbox.metrics import INBOX_APPLIED, WEBHOOK_REFUSALS, WEBHOOKS
from stagedoor.inbox.redact import redact
from stagedoor.inbox.verify import Keyring, SignatureRefused
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import BadRequest, StorageUnavailable, Unavailable
from stagedoor.mediaserver.livekit_event import MEDIA_EVENTS, ROOM_EVENTS, LiveKitEvent, decode_event
from stagedoor.mediaserver.version import PROBE_PREFIX
from stagedoor.storage import Database
from stagedoor.tenancy import room_names
from stagedoor.tenancy.directory import Directory

Received = Literal["stored", "duplicate"]
Answer = Callable[[Received | BaseException], None]
_LONGEST_ID: Final = 128
_RECEIVED_AT: Final = 3
"""The place of the time in a row."""
_STORED, _DUPLICATE = WEBHOOKS.labels("stored"), WEBHOOKS.labels("duplicate")
_UNCLAIMED = INBOX_APPLIED.labels("unclaimed")


class Receiver:
    """Takes webhooks in.

    Args:
        keyring: Whose signatures count.
        database: Where events are stored.
        directory: Which apps there are.
        wake: Called after an event was stored that is to be applied.
    """

    def __init__(self, keyring: Keyring, database: Database, directory: Directory, wake: Callable[[], None]) -> None:
        self._keyring = keyring
        self._database = database
        self._directory = directory
        self._intake = store.intake(database)
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()

    def precheck(self, authorization: str | None, signature: str | None) -> None:
        """Refuse a request without a signature before its body is read.

        Raises:
            SignatureRefused: There is none.
        """
        try:
            self._keyring.precheck(authorization, signature)
        except SignatureRefused as refused:
            _count_refusal(refused)
            raise

    async def receive(self, body: bytes, authorization: str | None, signature: str | None) -> Received:
        """Store the event in `body`; it is durable when this returns.

        Raises:
            SignatureRefused: No known key signed it.
            BadRequest: The body is not an event.
            Unavailable: It could not be stored; LiveKit tries again.
        """
        waiting: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

        def answer(received: Received | BaseException) -> None:
            if waiting.done():
                return
            if isinstance(received, BaseException):
                waiting.set_exception(received)
            else:
                waiting.set_result(received)

        self.receive_then(body, authorization, signature, answer)
        return await waiting

    def receive_then(self, body: bytes, authorization: str | None, signature: str | None, answer: Answer) -> None:
        """Store the event in `body`, and call `answer` with what `receive` returns or raises once it is durable.

        No task waits meanwhile: with 64 webhooks in a commit, making and waking them took a third of the time.

        Raises:
            SignatureRefused: As `receive`, and so are the others; `answer` is not called then.
        """
        event, row = self._verified(body, authorization, signature)
        generation = self._directory.generation
        unclaimed = self._is_of_no_app(event)
        if unclaimed is None:
            self._run(self._look_and_store(event, row, generation, answer), answer)
        else:
            self._store(event, row, generation, answer, unclaimed=unclaimed)

    def _verified(
        self, body: bytes, authorization: str | None, signature: str | None
    ) -> tuple[LiveKitEvent, tuple[Any, ...]]:
        """The event, and the columns of its row that do not depend on whose it is."""
        try:
            verified = self._keyring.verify(authorization, signature, body, time.time())
        except SignatureRefused as refused:
            _count_refusal(refused)
            raise
        try:
            event = decode_event(body)
            stored_body = redact(body)
        except (ValueError, RecursionError):
            WEBHOOKS.labels("malformed").inc()
            raise BadRequest("The body is not a LiveKit webhook event.", code="not_an_event") from None
        # Only the plain HMAC scheme's senders leave the id out; the same body is then the same event.
        event_id = event.id or f"sha256:{hashlib.sha256(body).hexdigest()}"
        name = event.room_name
        if len(event_id) > _LONGEST_ID or "\x00" in event_id + event.event + name:
            WEBHOOKS.labels("malformed").inc()
            raise BadRequest("The event's id or name is not of LiveKit's form.", code="not_an_event")
        return event, (
            event_id,
            event.event[:64],
            name,
            now_ms(),
            verified.key_id,
            verified.scheme,
            stored_body,
            tracing.traceparent(),
        )

    def _store(
        self, event: LiveKitEvent, row: tuple[Any, ...], generation: int, answer: Answer, *, unclaimed: bool
    ) -> None:
        """Store it as that of an app, or of none as of `generation` of the apps."""
        state = ("unclaimed", 1, row[_RECEIVED_AT]) if unclaimed else ("pending", 0, None)

        def stored(new: bool | BaseException) -> None:  # noqa: FBT001 - the lane calls it
            if isinstance(new, BaseException):
                answer(_not_stored() if isinstance(new, StorageUnavailable) else new)
            elif unclaimed and generation != self._directory.generation:
                self._run(self._claim(event, answer, new=new), answer)
            else:
                answer(self._counted(new=new, unclaimed=unclaimed))

        try:
            self._intake.insert_then((*row, *state), stored)
        except StorageUnavailable:
            raise _not_stored() from None

    def _counted(self, *, new: bool, unclaimed: bool) -> Received:
        if not new:
            _DUPLICATE.inc()
            return "duplicate"
        _STORED.inc()
        if unclaimed:
            _UNCLAIMED.inc()
        else:
            self._wake()
        return "stored"

    def _is_of_no_app(self, event: LiveKitEvent) -> bool | None:
        """Whether it is plain that the event is about a room of no app, as applying it would find.

        Then it is stored as such at once, which costs a third of finding it again, deciding and changing its row.
        `None` when the database has to be asked first.
        """
        name = event.room_name
        known = event.event in MEDIA_EVENTS or (
            event.event in ROOM_EVENTS and event.room is not None and event.room.sid
        )
        if not known or not name or name.startswith(PROBE_PREFIX):
            return False
        parts = room_names.split(name)
        if parts is None:
            return True
        has = self._directory.known_to_have(parts[0])
        return None if has is None else not has

    async def _look_and_store(self, event: LiveKitEvent, row: tuple[Any, ...], generation: int, answer: Answer) -> None:
        parts = room_names.split(event.room_name)
        assert parts is not None  # noqa: S101 - or it had been plain
        unclaimed = not await self._directory.may_have(parts[0])
        self._store(event, row, generation, answer, unclaimed=unclaimed)

    async def _claim(self, event: LiveKitEvent, answer: Answer, *, new: bool) -> None:
        """Have the event applied if its app was made while it was on its way into the store."""
        parts = room_names.split(event.room_name)
        if (
            parts is not None
            and await self._directory.may_have(parts[0])
            and await self._database.write(lambda tx: store.claim(tx, f"{parts[0]}-"))
        ):
            self._wake()
        answer(self._counted(new=new, unclaimed=True))

    def _run(self, work: Coroutine[Any, Any, None], answer: Answer) -> None:
        """Do what waits for the database, and answer if it fails."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                answer(_not_stored() if isinstance(error, StorageUnavailable) else error)

        task = asyncio.get_running_loop().create_task(work, name="webhook")
        self._tasks.add(task)
        task.add_done_callback(ended)


def _not_stored() -> Unavailable:
    WEBHOOKS.labels("unavailable").inc()
    return Unavailable(
        "The event could not be stored; send it again.",
        code="storage_unavailable",
        headers={"Retry-After": "1"},
    )


def _count_refusal(refused: SignatureRefused) -> None:
    WEBHOOKS.labels("refused").inc()
    WEBHOOK_REFUSALS.labels(refused.reason).inc()
