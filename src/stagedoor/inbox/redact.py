"""Remove secrets from an event before it is stored: LiveKit's webhooks hold TURN passwords and storage credentials.

A secret is known by its place in LiveKit's messages. What people fill in themselves, `attributes` and `metadata`, is
theirs and stays, whatever its fields are called.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import urlsplit

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
`livekit_ingress.proto`, `livekit_models.proto`)."""

URL_FIELDS: Final = frozenset({"url", "urls", "customBaseUrl", "websocketUrl"})
"""Addresses that media goes to or comes from (`StreamOutput.urls`, `StreamInfo.url`, `IngressInfo.url` and others): the
path is often a stream key, and the rest may hold a password."""

TEXT_FIELDS: Final = frozenset({"error", "details"})
"""Sentences of the egress and ingress services, which name such addresses."""

OWN_FIELDS: Final = frozenset({"attributes", "metadata"})
"""What applications and people fill in: of participants, rooms, jobs and stored objects."""

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")

_OPEN_FIELDS: Final = frozenset({"event", "id", "createdAt", "numDropped", "roomEndReason", "participant", "track"})
"""Fields of an event that hold no secret."""

REDACTED: Final = "[removed]"
_NAME: Final = b'"turnPassword"'


class _Room(msgspec.Struct, rename={"password": "turnPassword"}):
    """The secrets in a room: the one that nearly each has, and whether there are others."""

    password: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_FIELD: Final = msgspec.Raw | msgspec.UnsetType
_RoomSecrets: Final = msgspec.defstruct(
    "RoomSecrets", [(name, _FIELD, msgspec.UNSET) for name in sorted(SECRET_FIELDS - {"turnPassword"})], bases=(_Room,)
)
_OpenEvent: Final = msgspec.defstruct(
    "OpenEvent",
    [("room", _RoomSecrets | None, None), *((name, _FIELD, msgspec.UNSET) for name in sorted(_OPEN_FIELDS))],
    forbid_unknown_fields=True,
)
_decoder: Final = msgspec.json.Decoder(_OpenEvent)
_NO_SECRETS: Final = _RoomSecrets()


def redact(body: bytes) -> bytes:
    """The event without secrets; nothing else in it changes.

    Raises:
        ValueError: The body is not JSON.
    """
    # Nearly every event has one secret, the room's TURN password. It is cut out where it stands: decoding and encoding
    # the whole event costs fifteen times as much.
    try:
        event: Any = _decoder.decode(body)
    except msgspec.ValidationError:
        return _rewritten(body)  # it has other fields, or is no event
    password: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    room: _Room | None = event.room
    if room is not None:
        password, room.password = room.password, msgspec.UNSET
        if room != _NO_SECRETS:
            return _rewritten(body)
    named = body.count(_NAME)
    if password is msgspec.UNSET:
        return _rewritten(body) if named else body
    # Inside of a JSON string each quote has a backslash before it, so this is a field and its value, and the only one.
    secret = b"%b:%b" % (_NAME, bytes(password))
    if named != 1 or secret not in body:
        return _rewritten(body)
    return body.replace(secret, b'%b:"%b"' % (_NAME, REDACTED.encode()))


def _rewritten(body: bytes) -> bytes:
    event = msgspec.json.decode(body)
    if isinstance(event, dict):
        fields = cast("dict[str, Any]", event).items()
        event = {name: value if name in _OPEN_FIELDS else _cleaned(name, value) for name, value in fields}
    return msgspec.json.encode(event if isinstance(event, dict) else _clean(event))


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(name, inner) for name, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in cast("list[Any]", value)]
    return value


def _cleaned(name: str, value: Any) -> Any:
    if name in OWN_FIELDS:
        return value
    if name in SECRET_FIELDS:
        return REDACTED
    if name in URL_FIELDS:
        return [_host_of(one) for one in cast("list[Any]", value)] if isinstance(value, list) else _host_of(value)
    if name in TEXT_FIELDS and isinstance(value, str):
        return _URL.sub(lambda found: _host_of(found[0]), value)
    return _clean(value)


def _host_of(url: Any) -> str:
    """Scheme and host of an address; what comes after the host, and who signs in there, is removed."""
    if url == "":
        return ""
    if not isinstance(url, str):
        return REDACTED
    try:
        parts = urlsplit(url)
    except ValueError:
        return REDACTED
    host = parts.netloc.rpartition("@")[2]
    if not parts.scheme or not host:
        return REDACTED
    kept = f"{parts.scheme}://{host}"
    return kept if url == kept else f"{kept}/{REDACTED}"
