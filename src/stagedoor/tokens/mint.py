"""LiveKit's join token for a grant, made by LiveKit's own library."""

from __future__ import annotations

from datetime import timedelta

from livekit import api

from stagedoor.tokens.grants import Grant, RoomConfig


def mint(api_key: str, api_secret: str, grant: Grant) -> str:
    """The JWT that a LiveKit client joins with."""
    token = (
        api.AccessToken(api_key, api_secret)
        .with_identity(grant.identity)
        .with_ttl(timedelta(seconds=grant.ttl))
        .with_grants(
            api.VideoGrants(
                room_join=True,
                room=grant.livekit_room,
                can_publish=grant.can_publish,
                can_subscribe=grant.can_subscribe,
                can_publish_data=grant.can_publish_data,
                can_publish_sources=None if grant.can_publish_sources is None else list(grant.can_publish_sources),
                hidden=grant.hidden or None,
            )
        )
    )
    if grant.name is not None:
        token = token.with_name(grant.name)
    if grant.metadata is not None:
        token = token.with_metadata(grant.metadata)
    if grant.attributes:
        token = token.with_attributes(dict(grant.attributes))
    if grant.room_config is not None:
        token = token.with_room_config(_configuration(grant.room_config))
    return token.to_jwt()


def _configuration(config: RoomConfig) -> api.RoomConfiguration:
    message = api.RoomConfiguration(
        empty_timeout=config.empty_timeout or 0,
        departure_timeout=config.departure_timeout or 0,
        max_participants=config.max_participants or 0,
        metadata=config.metadata or "",
        min_playout_delay=config.min_playout_delay or 0,
        max_playout_delay=config.max_playout_delay or 0,
        sync_streams=config.sync_streams or False,
    )
    for name, metadata in config.agents:
        message.agents.append(api.RoomAgentDispatch(agent_name=name, metadata=metadata))
    return message
