"""Receive one webhook: verify the raw bytes, keep the event, answer. Nothing else happens before the answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Literal

from stagedoor.inbox.metrics import WEBHOOK_REFUSALS, WEBHOOKS
from stagedoor.inbox.redact import redact
from stagedoor.inbox.verify import Keyring, SignatureRefused
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import BadRequest, StorageUnavailable, Unavailable
from stagedoor.mediaserver.livekit_event import decode_event
from stagedoor.storage import BulkInsert

Received = Literal["stored", "duplicate"]
_LONGEST_ID = 128
_STORED, _DUPLICATE = WEBHOOKS.labels("stored"), WEBHOOKS.labels("duplicate")


class Receiver:
    """Takes webhooks in.

    Args:
        keyring: Whose signatures count.
        intake: Where events are stored; what it returned from is durable.
        wake: Called after an event was stored.
    """

    def __init__(self, keyring: Keyring, intake: BulkInsert, wake: Callable[[], None]) -> None:
        self._keyring = keyring
        self._intake = intake
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
            SignatureRefused: Nobody that we know signed it.
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
        row = (
            event_id,
            event.event[:64],
            event.room_name,
            now_ms(),
            verified.key_id,
            verified.scheme,
            stored_body,
            tracing.traceparent(),
        )
        try:
            new = await self._intake.insert(row)
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
        self._wake()
        return "stored"


def _count_refusal(refused: SignatureRefused) -> None:
    WEBHOOKS.labels("refused").inc()
    WEBHOOK_REFUSALS.labels(refused.reason).inc()
