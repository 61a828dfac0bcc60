"""LiveKit's join token for a grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stagedoor.access.grants import Grant, RoomConfig
from stagedoor.kernel.errors import Invalid
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.signing import access_token
from stagedoor.mediaserver.snapshots import OWN_IDENTITY

if TYPE_CHECKING:
    from livekit.protocol.room import RoomConfiguration

LONGEST_TOKEN: Final = 1_000_000
"""Bytes. A client sends the token in the head of its first request, and LiveKit reads a head of 1 MiB (Go's
`http.DefaultMaxHeaderBytes`): no client can join with a longer one."""

LONGEST_IN_URLS: Final = 7_168
"""Bytes. Browsers can send a token in the URL only. nginx takes request lines of 8 KiB by default, as do many WebSocket
servers; 1 KiB is left for the rest of the line."""

_OWN_SECONDS: Final = 300


def mint(endpoint: Endpoint, grant: Grant) -> str:
    """The JWT that a LiveKit client joins with.

    Raises:
        Invalid: It would be longer than LiveKit reads.
    """
    from livekit import api  # not at the start, which it would make a tenth longer

    token = access_token(
        endpoint,
        api.VideoGrants(
            room_join=True,
            room=grant.livekit_room,
            can_publish=grant.can_publish,
            can_subscribe=grant.can_subscribe,
            can_publish_data=grant.can_publish_data,
            can_publish_sources=None if grant.can_publish_sources is None else list(grant.can_publish_sources),
            hidden=grant.hidden or None,
        ),
        grant.ttl,
        identity=grant.identity,
        name=grant.name,
        metadata=grant.metadata,
        attributes=grant.attributes,
        room_config=None if grant.room_config is None else _configuration(grant.room_config),
    )
    if len(token) > LONGEST_TOKEN:
        raise Invalid(
            f"The token would have {len(token)} bytes; LiveKit reads {LONGEST_TOKEN} at the most. Shorten the metadata"
            " of the participant, the room or its agents.",
            code="token_too_large",
            extra={"limit": LONGEST_TOKEN},
        )
    return token


def own_token(endpoint: Endpoint, livekit_room: str, name: str) -> str:
    """A join token for a hidden participant of Stagedoor's own that receives, and may do nothing else.

    LiveKit counts agents neither among a room's participants nor as a participant for whom it stays open
    (pkg/rtc/participant.go `IsDependent`, room.go `CloseIfEmpty`), and what it reports of identities like this one is
    not applied.

    Args:
        endpoint: The LiveKit that it is for.
        livekit_room: The room.
        name: What it does there; two of one name are not in a room at once.
    """
    from livekit import api  # not at the start, which it would make a tenth longer

    grants = api.VideoGrants(
        room_join=True,
        room=livekit_room,
        hidden=True,
        can_subscribe=True,
        can_publish=False,
        can_publish_data=False,
    )
    return access_token(endpoint, grants, _OWN_SECONDS, identity=f"{OWN_IDENTITY}{name}", kind="agent")


def warning_of(token: str) -> str | None:
    """What the caller should know of a token that works and may not pass through every proxy."""
    if len(token) <= LONGEST_IN_URLS:
        return None
    return (
        f"The token has {len(token)} bytes. Browsers send it in a URL, where proxies with default settings take 8 KiB:"
        " shorten metadata and attributes, or give the proxy larger header buffers."
    )


def _configuration(config: RoomConfig) -> RoomConfiguration:
    from livekit.protocol import agent_dispatch, room

    message = room.RoomConfiguration(
        empty_timeout=config.empty_timeout or 0,
        departure_timeout=config.departure_timeout or 0,
        max_participants=config.max_participants or 0,
        metadata=config.metadata or "",
        min_playout_delay=config.min_playout_delay or 0,
        max_playout_delay=config.max_playout_delay or 0,
        sync_streams=config.sync_streams or False,
    )
    for name, metadata in config.agents:
        message.agents.append(agent_dispatch.RoomAgentDispatch(agent_name=name, metadata=metadata))
    return message
