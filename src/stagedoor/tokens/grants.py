"""What a join token allows: pure policy, from what was asked and what the app permits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stagedoor.kernel.durations import format_duration, parse_duration
from stagedoor.kernel.errors import Invalid
from stagedoor.mediaserver.facts import OWN_IDENTITY
from stagedoor.rooms.names import new_livekit_name
from stagedoor.rooms.nouns import SESSION_ATTRIBUTE, Plan
from stagedoor.tenancy.nouns import App

SOURCES: Final = ("camera", "microphone", "screen_share", "screen_share_audio")
"""What LiveKit lets a grant name in `canPublishSources`."""

_SOUND: Final = ("microphone", "screen_share_audio")
DEFAULT_TTL: Final = 3_600
"""Seconds that a token lives when nobody said how long."""


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """How LiveKit makes the room when this token is the one that creates it. Times in seconds, delays in ms.

    Egress with storage credentials is left out on purpose: a token is read by whoever holds it.
    """

    empty_timeout: int | None = None
    departure_timeout: int | None = None
    max_participants: int | None = None
    metadata: str | None = None
    min_playout_delay: int | None = None
    max_playout_delay: int | None = None
    sync_streams: bool | None = None
    agents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a caller asks for. `None` leaves the choice to the policy; `ttl` is a text or seconds."""

    room: str
    identity: str | None = None
    name: str | None = None
    can_publish: bool | None = None
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: tuple[str, ...] | None = None
    ttl: str | float | None = None
    metadata: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: bool = False
    audio_only: bool = False
    room_config: RoomConfig | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token will say. `ttl` is seconds."""

    livekit_room: str
    identity: str
    name: str | None
    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool
    can_publish_sources: tuple[str, ...] | None
    ttl: int
    metadata: str | None
    attributes: Mapping[str, str]
    hidden: bool
    room_config: RoomConfig | None


def decide(app: App, request: JoinRequest) -> Grant:
    """The grant that the app permits for the request.

    Raises:
        Invalid: The request contradicts itself, or goes beyond the app's limits.
    """
    if request.identity is not None and request.identity.startswith(OWN_IDENTITY):
        raise Invalid(f"Identities that begin with {OWN_IDENTITY} are Stagedoor's own.", code="identity_reserved")
    sources = _sources(request)
    # A hidden participant watches; one that publishes would be heard and seen by people who can't see that it is there.
    can_publish = not request.hidden if request.can_publish is None else request.can_publish
    return Grant(
        livekit_room=new_livekit_name(app.slug, request.room),
        identity=request.identity or f"anon-{secrets.token_hex(6)}",
        name=request.name,
        can_publish=can_publish,
        can_subscribe=request.can_subscribe,
        can_publish_data=request.can_publish_data,
        can_publish_sources=sources if can_publish else None,
        ttl=time_to_live(app, request.ttl),
        metadata=request.metadata,
        attributes=request.attributes,
        hidden=request.hidden,
        room_config=request.room_config,
    )


def under_plan(grant: Grant, plan: Plan) -> Grant:
    """The grant for the room of an announced session: LiveKit makes the room as it was announced, whoever comes first;
    in a voice session nobody publishes a picture; and the participant says for which session the token was made."""
    config = replace(
        grant.room_config or RoomConfig(),
        empty_timeout=plan.empty_timeout,
        departure_timeout=plan.departure_timeout,
        max_participants=plan.max_participants,
        metadata=plan.metadata or None,
        agents=plan.agents,
    )
    attributes = {**grant.attributes, SESSION_ATTRIBUTE: plan.session_id}
    grant = replace(grant, room_config=config, attributes=attributes)
    sources = grant.can_publish_sources
    if plan.kind == "voice" and grant.can_publish:
        sources = tuple(source for source in sources or _SOUND if source in _SOUND)
        if not sources:
            return replace(grant, can_publish=False, can_publish_sources=None)
    return replace(grant, can_publish_sources=sources)


def time_to_live(app: App, ttl: str | float | None) -> int:
    """Seconds that a token or link may live.

    Raises:
        Invalid: It is no duration, or longer than the app allows.
    """
    if ttl is None:
        return min(DEFAULT_TTL, app.settings.max_token_ttl)
    try:
        seconds = parse_duration(ttl)
    except ValueError as error:
        raise Invalid(f"ttl is wrong: {error}.", code="bad_ttl") from None
    if seconds > app.settings.max_token_ttl:
        limit = format_duration(app.settings.max_token_ttl)
        raise Invalid(
            f"ttl is longer than the {limit} that this app allows.",
            code="ttl_too_long",
            extra={"maxTtl": limit},
        )
    return seconds


def _sources(request: JoinRequest) -> tuple[str, ...] | None:
    asked = request.can_publish_sources
    for source in asked or ():
        if source not in SOURCES:
            raise Invalid(
                f"There is no source {source!r} to publish.",
                code="unknown_source",
                extra={"sources": SOURCES},
            )
    if not request.audio_only:
        return asked
    if asked is not None and set(asked) - set(_SOUND):
        raise Invalid("audioOnly and a video source in canPublishSources contradict each other.", code="contradiction")
    return asked or ("microphone",)
