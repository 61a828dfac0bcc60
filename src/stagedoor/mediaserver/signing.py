"""Access tokens for LiveKit: the one place that makes them. The claims are those of LiveKit's own library."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from stagedoor.kernel.jwt import sign
from stagedoor.mediaserver.endpoint import Endpoint

if TYPE_CHECKING:
    from livekit import api
    from livekit.protocol.room import RoomConfiguration

_CALL_SECONDS: Final = 600
"""LiveKit's own clients ask for as long."""


def access_token(
    endpoint: Endpoint,
    grants: api.VideoGrants,
    ttl: int,
    *,
    identity: str | None = None,
    name: str | None = None,
    kind: Literal["agent"] | None = None,
    metadata: str | None = None,
    attributes: Mapping[str, str] | None = None,
    room_config: RoomConfiguration | None = None,
) -> str:
    """A JWT that LiveKit accepts for `ttl` seconds.

    Args:
        endpoint: The LiveKit that it is for, and the key that signs it.
        grants: What its holder may do.
        ttl: Seconds.
        identity: Who joins with it; needed by every token that joins a room.
        name: What others see.
        kind: `agent` for a helper that LiveKit does not count among a room's participants.
        metadata: The participant's metadata.
        attributes: The participant's attributes.
        room_config: How LiveKit makes the room, when this token is the one that creates it.
    """
    if grants.room_join and (not identity or not grants.room):
        raise ValueError("a token that joins a room names the identity and the room")
    now = int(time.time())
    claims: dict[str, Any] = {
        "sub": identity or "",
        "iss": endpoint.api_key,
        "nbf": now,
        "exp": now + ttl,
        "video": _given((wire_name, getattr(grants, field)) for field, wire_name in _grants()),
        **_given((("name", name), ("kind", kind), ("metadata", metadata))),
    }
    if attributes:
        claims["attributes"] = attributes
    if room_config is not None:
        from google.protobuf.json_format import MessageToDict

        claims["roomConfig"] = MessageToDict(room_config)
    return sign(claims, endpoint.api_secret.encode())


@cache
def _grants() -> list[tuple[str, str]]:
    """The names of a grant's fields, here and in the token. LiveKit's library is not imported at the start."""
    from livekit import api
    from pydantic.alias_generators import to_camel

    return [(field.name, to_camel(field.name)) for field in dataclasses.fields(api.VideoGrants)]


def _given(claims: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Those that have a value: what is absent means LiveKit's default."""
    return {name: value for name, value in claims if value is not None and value != ""}


def server_token(endpoint: Endpoint, grants: Mapping[str, Any]) -> str:
    """The token of one call of LiveKit's server API, with what the call needs as LiveKit names it in `video`."""
    now = int(time.time())
    claims = {"iss": endpoint.api_key, "sub": "", "nbf": now, "exp": now + _CALL_SECONDS, "video": grants}
    return sign(claims, endpoint.api_secret.encode())
