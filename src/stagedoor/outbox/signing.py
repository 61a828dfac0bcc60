"""Signatures of the Standard Webhooks specification (github.com/standard-webhooks), by its reference library."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    """A secret such as `whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(message_id: str, at_seconds: int, body: str, signers: Sequence[str]) -> dict[str, str]:
    """The headers that prove who sent `body`.

    Args:
        message_id: The same at every attempt.
        at_seconds: When this attempt is made, in seconds since the epoch: receivers refuse old ones.
        signers: The secret, and while it is being changed the old one too; one that knows either is content.
    """
    at = datetime.fromtimestamp(at_seconds, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, body) for secret in signers),
    }
