"""LiveKit's webhooks as it sends them, signed and ready for the wire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

ID_PREFIX: Final = "EV_bench"
PEOPLE: Final = 6
EVENTS_OF_A_LIFE: Final = 2 + 4 * PEOPLE
"""Started; each person joins, publishes sound and picture, and leaves; finished."""

_CODECS: Final = ("audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/rtx")
_PERMISSION: Final = {"canSubscribe": True, "canPublish": True, "canPublishData": True}


def sid(prefix: str) -> str:
    """An id in LiveKit's form."""
    return f"{prefix}_{secrets.token_hex(6)}"


def lives(rooms: int, prefix: str = "live") -> list[bytes]:
    """Bodies of whole lives of rooms, the rooms taking turns: five types of event, 0.6 to 1.4 kB each."""
    each = [list(_life(f"{prefix}-{secrets.token_hex(5)}")) for _ in range(rooms)]
    return [body for step in itertools.zip_longest(*each) for body in step if body is not None]


def some(count: int, prefix: str = "live") -> list[bytes]:
    """At least `count` bodies, in whole lives."""
    return lives(-(-count // EVENTS_OF_A_LIFE), prefix)


def _life(name: str) -> Iterator[bytes]:
    room = new_room(name)
    yield body("room_started", room)
    people = [new_person(f"caller-{number}") for number in range(PEOPLE)]
    for number, person in enumerate(people, 1):
        room["numParticipants"] = number
        yield body("participant_joined", room, participant=person)
        for kind in ("AUDIO", "VIDEO"):
            yield body("track_published", room, participant=person, track=_track(kind))
    for person in people:
        gone = person | {"state": "DISCONNECTED", "disconnectReason": "CLIENT_INITIATED"}
        yield body("participant_left", room, participant=gone)
    yield body("room_finished", room)


def new_room(name: str) -> dict[str, Any]:
    """A room that begins now."""
    now = time.time()
    return {
        "sid": sid("RM"),
        "name": name,
        "emptyTimeout": 300,
        "departureTimeout": 20,
        "creationTime": str(int(now)),
        "creationTimeMs": str(int(now * 1000)),
        "turnPassword": secrets.token_urlsafe(32),
        "enabledCodecs": [{"mime": mime} for mime in _CODECS],
    }


def new_person(identity: str) -> dict[str, Any]:
    """A participant who is there now."""
    now = time.time()
    return {
        "sid": sid("PA"),
        "identity": identity,
        "name": identity.title(),
        "state": "ACTIVE",
        "joinedAt": str(int(now)),
        "joinedAtMs": str(int(now * 1000)),
        "version": 2,
        "region": "local",
        "isPublisher": True,
        "permission": _PERMISSION,
    }


def _track(kind: str) -> dict[str, Any]:
    if kind == "AUDIO":
        return {"sid": sid("TR"), "source": "MICROPHONE", "mimeType": "audio/opus", "mid": "0", "stream": "camera"}
    layers = [
        {
            "quality": quality,
            "width": 1280 // by,
            "height": 720 // by,
            "bitrate": 1_700_000 // by**2,
            "ssrc": 10**9 + by,
        }
        for quality, by in (("LOW", 4), ("MEDIUM", 2), ("HIGH", 1))
    ]
    return {
        "sid": sid("TR"),
        "type": "VIDEO",
        "source": "CAMERA",
        "mimeType": "video/VP8",
        "mid": "1",
        "width": 1280,
        "height": 720,
        "simulcast": True,
        "stream": "camera",
        "layers": layers,
        "codecs": [{"mimeType": "video/VP8", "mid": "1", "cid": secrets.token_hex(8), "layers": layers}],
    }


def body(event: str, room: dict[str, Any], **more: Any) -> bytes:
    """The body of one event, under an id of its own."""
    document = {
        "event": event,
        "room": room,
        **more,
        "id": ID_PREFIX + secrets.token_hex(9),
        "createdAt": str(int(time.time())),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signature(key: str, secret: str, content: bytes) -> bytes:
    """LiveKit's `Authorization`: a JWT over the body's SHA-256, good for five minutes."""
    now = int(time.time())
    claims = {
        "iss": key,
        "nbf": now,
        "exp": now + 300,
        "sha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
    }
    head = _part({"alg": "HS256", "typ": "JWT"}) + b"." + _part(claims)
    return head + b"." + _encoded(hmac.digest(secret.encode(), head, "sha256"))


def request(key: str, secret: str, content: bytes) -> bytes:
    """The whole HTTP request of a webhook."""
    return (
        b"POST /webhooks/livekit HTTP/1.1\r\n"
        b"Host: 127.0.0.1\r\n"
        b"User-Agent: Go-http-client/1.1\r\n"
        b"Content-Length: %d\r\n"
        b"Authorization: %s\r\n"
        b"Content-Type: application/webhook+json\r\n"
        b"Accept-Encoding: gzip\r\n\r\n%s"
    ) % (len(content), signature(key, secret, content), content)


def _part(value: dict[str, Any]) -> bytes:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
