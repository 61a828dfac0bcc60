"""Access tokens for LiveKit, made by LiveKit's own library: the one place that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from stagedoor.mediaserver.endpoint import Endpoint

if TYPE_CHECKING:
    from livekit import api
    from livekit.protocol.room import RoomConfiguration


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
    from livekit import api  # not at the start, which it would make a tenth longer

    token = api.AccessToken(endpoint.api_key, endpoint.api_secret).with_ttl(timedelta(seconds=ttl)).with_grants(grants)
    if identity is not None:
        token = token.with_identity(identity)
    if name is not None:
        token = token.with_name(name)
    if kind is not None:
        token = token.with_kind(kind)
    if metadata is not None:
        token = token.with_metadata(metadata)
    if attributes:
        token = token.with_attributes(dict(attributes))
    if room_config is not None:
        token = token.with_room_config(room_config)
    return token.to_jwt()
