"""What a join token allows: pure policy, from what was asked and what the app permits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stagedoor.access.identities import check_attribute_names, check_identity, check_name
from stagedoor.access.settings import DEFAULT_TTL
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.durations import format_duration, parse_duration
from stagedoor.kernel.errors import Invalid
from stagedoor.rooms.nouns import SESSION_ATTRIBUTE, SESSION_ID_LENGTH, Plan, RoomLimits
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import new_livekit_name
from stagedoor.tenancy.token_settings import TokenSettings

SOURCES: Final = ("camera", "microphone", "screen_share", "screen_share_audio")
"""What LiveKit lets a grant name in `canPublishSources`."""

_SOUND: Final = ("microphone", "screen_share_audio")
LONGEST_ATTRIBUTES: Final = 65_536
"""Bytes of UTF-8 of all names and values. LiveKit counts the sum, and refuses a participant with more
(`limit.max_attributes_size`)."""


@dataclass(frozen=True, slots=True)
class RoomConfig(RoomLimits):
    """How LiveKit makes the room when this token is the one that creates it. Times in seconds, delays in ms.

    Egress with storage credentials is left out on purpose: its holder can read a token.
    """

    metadata: str | None = None
    min_playout_delay: int | None = None
    max_playout_delay: int | None = None
    sync_streams: bool | None = None
    agents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a caller asks for. `None` leaves the choice to the policy; `ttl` is a text or seconds.

    Attributes:
        own_attributes: Attributes that Stagedoor sets, whose names no caller may use.
    """

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
    own_attributes: Mapping[str, str] = field(default_factory=dict[str, str])
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


def decide(app: App, request: JoinRequest, livekit_room: str | None = None, *, ends_by: int | None = None) -> Grant:
    """The grant that the app permits for the request.

    Args:
        app: Whose room it is.
        request: What was asked for.
        livekit_room: The room's LiveKit name, of one that is there; without it the request's room may be new, and its
            name follows the rule for new rooms.
        ends_by: As for `time_to_live`.

    Raises:
        Invalid: The request contradicts itself, or goes beyond the limits of the app or of LiveKit.
    """
    if request.identity is not None:
        check_identity(request.identity)
    check_name(request.name)
    check_attribute_names(request.attributes)
    sources = _sources(request)
    # A hidden participant watches; people who cannot see that one is there would hear and see one that publishes.
    can_publish = not request.hidden if request.can_publish is None else request.can_publish
    if sources == ():  # LiveKit takes an empty list for all sources
        if request.can_publish:
            raise Invalid("canPublish and an empty canPublishSources contradict each other.", code="contradiction")
        can_publish = False
    grant = Grant(
        livekit_room=livekit_room or new_livekit_name(app.slug, request.room),
        identity=request.identity or f"anon-{secrets.token_hex(6)}",
        name=request.name,
        can_publish=can_publish,
        can_subscribe=request.can_subscribe,
        can_publish_data=request.can_publish_data,
        can_publish_sources=sources if can_publish else None,
        ttl=time_to_live(app, request.ttl, ends_by=ends_by),
        metadata=request.metadata,
        attributes={**request.attributes, **request.own_attributes},
        hidden=request.hidden,
        room_config=request.room_config,
    )
    check_attributes(grant.attributes)
    return grant


def check_attributes(attributes: Mapping[str, str], *, announced: bool = False) -> None:
    """Raise `Invalid` when LiveKit would refuse a participant with the attributes.

    Args:
        attributes: What was asked for.
        announced: Whether the token will also say for which announced session it is.
    """
    own = len(SESSION_ATTRIBUTE) + SESSION_ID_LENGTH if announced else 0
    size = own + sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())
    if size > LONGEST_ATTRIBUTES:
        limit = LONGEST_ATTRIBUTES - own
        raise Invalid(
            f"attributes: names and values have {size - own} bytes in UTF-8 together; {limit} is the most.",
            code="attributes_too_large",
            extra={"limit": limit},
        )


def under_plan(grant: Grant, plan: Plan) -> Grant:
    """The grant for the room of an announced session: LiveKit makes the room as it was announced;
    in a voice session no participant publishes a picture; and an attribute has the session that the token was made for.

    Raises:
        Invalid: With what the participant says of the session, its attributes are more than LiveKit takes.
    """
    config = replace(
        grant.room_config or RoomConfig(),
        empty_timeout=plan.empty_timeout,
        departure_timeout=plan.departure_timeout,
        max_participants=plan.max_participants,
        metadata=plan.metadata or None,
        agents=plan.agents,
    )
    check_attributes(grant.attributes, announced=True)
    attributes = {**grant.attributes, SESSION_ATTRIBUTE: plan.session_id}
    grant = replace(grant, room_config=config, attributes=attributes)
    sources = grant.can_publish_sources
    if plan.kind == "voice" and grant.can_publish:
        sources = tuple(source for source in sources or _SOUND if source in _SOUND)
        if not sources:
            return replace(grant, can_publish=False, can_publish_sources=None)
    return replace(grant, can_publish_sources=sources)


def time_to_live(app: App, ttl: str | float | None, *, ends_by: int | None = None) -> int:
    """Seconds that a token or link may live.

    Args:
        app: Whose room it is for.
        ttl: What was asked for.
        ends_by: When the key or link ends that it is given for, in milliseconds since the epoch; `None` never does.
            What it is asked for beyond that is cut, to whole seconds and one at least.

    Raises:
        Invalid: It is no duration, or longer than the app allows.
    """
    longest = app.settings.of(TokenSettings).max_token_ttl
    left = longest if ends_by is None else max(1, (ends_by - now_ms()) // 1000)
    if ttl is None:
        return min(DEFAULT_TTL, longest, left)
    try:
        seconds = parse_duration(ttl)
    except ValueError as error:
        raise Invalid(f"ttl is wrong: {error}.", code="bad_ttl") from None
    if seconds > longest:
        limit = format_duration(longest)
        raise Invalid(
            f"ttl is longer than the {limit} that this app allows.",
            code="ttl_too_long",
            extra={"maxTtl": limit},
        )
    return min(seconds, left)


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
    return ("microphone",) if asked is None else asked
