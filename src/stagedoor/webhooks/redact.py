"""Take secrets out of an event before it is stored: LiveKit puts TURN passwords and storage credentials in."""

from __future__ import annotations

from typing import Any, Final

import msgspec

SECRET_FIELDS: Final = frozenset(
    {
        "turnPassword",
        "streamKey",
        "secret",
        "accessKey",
        "sessionToken",
        "credentials",
        "accountKey",
        "accountName",
        "password",
        "username",
        "signingKey",
        "streamUrls",
        "rawResponse",
    }
)
"""Fields of LiveKit's webhook messages that hold a secret (livekit/protocol `livekit_egress.proto`,
`livekit_ingress.proto`, `livekit_models.proto`); stream URLs carry stream keys."""

REDACTED: Final = "[removed]"
_MARKS: Final = tuple(f'"{name}"'.encode() for name in SECRET_FIELDS)


def redact(body: bytes) -> bytes:
    """The event without secrets; a body that has none is returned as it is, byte for byte."""
    if not any(mark in body for mark in _MARKS):
        return body
    return msgspec.json.encode(_clean(msgspec.json.decode(body)))


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: REDACTED if name in SECRET_FIELDS else _clean(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_clean(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return value
