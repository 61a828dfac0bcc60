"""Receive one webhook: verify the raw bytes, keep the event, answer. Nothing else happens before the answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Literal

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
_LONGEST_ID = 128
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
        if len(event_id) > _LONGEST_ID or "\x00" in event_id + event.event + event.room_name:
            WEBHOOKS.labels("malformed").inc()
            raise BadRequest("The event's id or name is not of LiveKit's form.", code="not_an_event")
        now = now_ms()
        generation = self._directory.generation
        try:
            unclaimed = await self._is_of_no_app(event)
            new = await self._intake.insert(
                (
                    event_id,
                    event.event[:64],
                    event.room_name,
                    now,
                    verified.key_id,
                    verified.scheme,
                    stored_body,
                    tracing.traceparent(),
                    *(("unclaimed", 1, now) if unclaimed else ("pending", 0, None)),
                )
            )
            if unclaimed and generation != self._directory.generation:
                await self._claim(event)
        except StorageUnavailable:
            WEBHOOKS.labels("unavailable").inc()
            raise Unavailable(
                "The event could not be stored; send it again.",
                code="storage_unavailable",
                headers={"Retry-After": "1"},
            ) from None
        if not new:
            _DUPLICATE.inc()
            return "duplicate"
        _STORED.inc()
        if unclaimed:
            _UNCLAIMED.inc()
        else:
            self._wake()
        return "stored"

    async def _is_of_no_app(self, event: LiveKitEvent) -> bool:
        """Whether it is plain that the event is about a room of no app, as applying it would find.

        Then it is stored as such at once, which costs a third of finding it again, deciding and changing its row.
        """
        name = event.room_name
        known = event.event in MEDIA_EVENTS or (
            event.event in ROOM_EVENTS and event.room is not None and event.room.sid
        )
        if not known or not name or name.startswith(PROBE_PREFIX):
            return False
        parts = room_names.split(name)
        return parts is None or not await self._directory.may_have(parts[0])

    async def _claim(self, event: LiveKitEvent) -> None:
        """Have the event applied if its app was made while it was on its way into the store."""
        parts = room_names.split(event.room_name)
        if parts is None or not await self._directory.may_have(parts[0]):
            return
        if await self._database.write(lambda tx: store.claim(tx, f"{parts[0]}-")):
            self._wake()


def _count_refusal(refused: SignatureRefused) -> None:
    WEBHOOKS.labels("refused").inc()
    WEBHOOK_REFUSALS.labels(refused.reason).inc()
