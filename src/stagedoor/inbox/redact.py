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

REDACTED: Final = "[removed]"
_MARKS: Final = tuple(
    f'"{name}"'.encode() for name in (SECRET_FIELDS | URL_FIELDS) - {"turnPassword"} | {"egressInfo", "ingressInfo"}
)
_PASSWORD: Final = b'"turnPassword":"'
_BACKSLASH: Final = ord("\\")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


class _Room(msgspec.Struct, rename="camel"):
    turn_password: str = ""


class _Event(msgspec.Struct):
    room: _Room | None = None


_event: Final = msgspec.json.Decoder(_Event)


def redact(body: bytes) -> bytes:
    """The event without secrets; nothing else in it changes.

    Raises:
        ValueError: The body is not JSON.
    """
    if any(mark in body for mark in _MARKS):
        return _rewritten(body)
    if b'"turnPassword"' not in body:
        return body
    return _without_password(body)


def _without_password(body: bytes) -> bytes:
    """The same for a body whose only secret is the room's TURN password, which is in each event of LiveKit's.

    It is cut out where it stands: decoding and encoding the whole event costs fifteen times as much. Inside of a JSON
    string each quote has a backslash before it, so `_PASSWORD` is found only where it is a field's name; where that is
    not the room's alone, or is spaced otherwise than LiveKit does, the event is written anew.
    """
    begin = body.find(_PASSWORD)
    end = body.find(b'"', begin + len(_PASSWORD))
    simple = begin >= 0 and end >= 0 and body[end - 1] != _BACKSLASH and body.count(b'"turnPassword"') == 1
    if not simple or not _of_room(body):
        return _rewritten(body)
    return b"%b%b%b" % (body[: begin + len(_PASSWORD)], REDACTED.encode(), body[end:])


def _of_room(body: bytes) -> bool:
    room = _event.decode(body).room
    return room is not None and room.turn_password != ""


def _rewritten(body: bytes) -> bytes:
    return msgspec.json.encode(_clean(msgspec.json.decode(body)))


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
