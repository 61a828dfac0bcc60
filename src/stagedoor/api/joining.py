"""What callers ask of a join token and of a room: the schemas that tokens, announced sessions and rooms share."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from stagedoor.access.grants import JoinRequest, RoomConfig
from stagedoor.api.structs import RequestStruct
from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import Invalid
from stagedoor.rooms.nouns import RoomLimits

_NUL_FREE: Final = r"^[^\x00]*$"
_LONGEST: Final = 365 * 86_400
ShortText = Annotated[str, Meta(max_length=256, pattern=_NUL_FREE)]
LongText = Annotated[str, Meta(max_length=65_536, pattern=_NUL_FREE)]
Duration = Annotated[str, Meta(max_length=20)] | int
_Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]


class AgentDispatch(RequestStruct, frozen=True, kw_only=True):
    """An agent that LiveKit calls into the room."""

    agent_name: Annotated[
        str,
        Meta(max_length=256, min_length=1, pattern=_NUL_FREE, description="The agent's name.", examples=["helper"]),
    ]
    metadata: Annotated[LongText, Meta(description="Metadata of the dispatch.", examples=["{}"])] = ""


Agents = Annotated[list[AgentDispatch], Meta(max_length=20)]


def agents_of(agents: list[AgentDispatch]) -> tuple[tuple[str, str], ...]:
    """Name and metadata of each."""
    return tuple((agent.agent_name, agent.metadata) for agent in agents)


class RoomLimitsBody(RequestStruct, frozen=True, kw_only=True):
    """What LiveKit holds a room to. Durations are 90s, 10m, 1h, 2d, or seconds; 0 and null are LiveKit's default."""

    empty_timeout: Annotated[
        Duration | None, Meta(description="How long the room waits for its first participant.", examples=["5m"])
    ] = None
    departure_timeout: Annotated[
        Duration | None, Meta(description="How long it waits after the last left.", examples=["20s"])
    ] = None
    max_participants: Annotated[
        Annotated[int, Meta(ge=0, le=100_000)] | None,
        Meta(description="Participants at the most; 0 for no limit.", examples=[10]),
    ] = None

    def limits(self, field: str = "") -> RoomLimits:
        """The limits, in seconds.

        Args:
            field: Where they stand in the body, with a full stop, for the sentence that the caller reads.
        """
        return RoomLimits(
            empty_timeout=seconds_of(f"{field}emptyTimeout", self.empty_timeout),
            departure_timeout=seconds_of(f"{field}departureTimeout", self.departure_timeout),
            max_participants=self.max_participants,
        )


def seconds_of(field: str, value: str | int | None, *, longest: int = _LONGEST, zero: bool = True) -> int | None:
    """A duration of a body in seconds.

    Raises:
        Invalid: It is no duration, or too long.
    """
    if value is None or (zero and value == 0):
        return value if value is None else 0
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise Invalid(f"{field}: {error}.", code="bad_duration") from None
    if seconds > longest:
        raise Invalid(f"{field}: {longest // 86_400} days at the most.", code="bad_duration")
    return seconds


class RoomConfigBody(RoomLimitsBody, frozen=True, kw_only=True):
    """How LiveKit makes the room, when this token is the one that creates it."""

    metadata: Annotated[LongText | None, Meta(description="The room's metadata.", examples=["{}"])] = None
    min_playout_delay: Annotated[
        _Milliseconds | None, Meta(description="Least delay of playback, in ms.", examples=[0])
    ] = None
    max_playout_delay: Annotated[
        _Milliseconds | None, Meta(description="Greatest delay of playback, in ms.", examples=[2000])
    ] = None
    sync_streams: Annotated[
        bool | None, Meta(description="Keep a participant's audio and video in step.", examples=[False])
    ] = None
    agents: Annotated[
        Agents | None,
        Meta(description="Agents that LiveKit calls into the room.", examples=[[{"agentName": "helper"}]]),
    ] = None

    def config(self) -> RoomConfig:
        """The same, for the token."""
        limits = self.limits("roomConfig.")
        return RoomConfig(
            empty_timeout=limits.empty_timeout,
            departure_timeout=limits.departure_timeout,
            max_participants=limits.max_participants,
            metadata=self.metadata,
            min_playout_delay=self.min_playout_delay,
            max_playout_delay=self.max_playout_delay,
            sync_streams=self.sync_streams,
            agents=agents_of(self.agents or []),
        )


class NewParticipant(RequestStruct, frozen=True, kw_only=True):
    """A participant that gets a join token, and what it may do."""

    identity: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256, pattern=_NUL_FREE)] | None,
        Meta(description="Who it is, in 256 bytes of UTF-8 at the most; made up if not given.", examples=["phone-42"]),
    ] = None
    name: Annotated[ShortText | None, Meta(description="Name that others see.", examples=["Ada"])] = None
    can_publish: Annotated[
        bool | None, Meta(description="May publish media; yes by default, no when hidden.", examples=[True])
    ] = None
    can_subscribe: Annotated[bool, Meta(description="May receive media.", examples=[True])] = True
    can_publish_data: Annotated[bool, Meta(description="May send data and chat.", examples=[True])] = True
    can_publish_sources: Annotated[
        Annotated[list[str], Meta(max_length=10)] | None,
        Meta(
            description="The only sources that may be published: camera, microphone, screen_share, screen_share_audio;"
            " empty for none.",
            examples=[["camera", "microphone"]],
        ),
    ] = None
    ttl: Annotated[
        str | float | None,
        Meta(
            description="How long the token may be used: 90s, 10m, 1h, 2d, or seconds. The app sets the maximum.",
            examples=["1h"],
        ),
    ] = None
    metadata: Annotated[LongText | None, Meta(description="The participant's metadata.", examples=["{}"])] = None
    attributes: Annotated[
        dict[ShortText, Annotated[str, Meta(max_length=8_192, pattern=_NUL_FREE)]],
        Meta(
            max_length=64,
            description="The participant's attributes; 65,536 bytes of names and values at the most."
            " Names that begin with `stagedoor.` are Stagedoor's own.",
            examples=[{"seat": "12"}],
        ),
    ] = msgspec.field(default_factory=dict[str, str])
    hidden: Annotated[bool, Meta(description="Others do not see that it is there.", examples=[False])] = False
    audio_only: Annotated[bool, Meta(description="May publish sound and no picture.", examples=[False])] = False

    def request(self, room: str, room_config: RoomConfig | None = None) -> JoinRequest:
        """What is asked for of a room, by short or LiveKit name."""
        sources = self.can_publish_sources
        return JoinRequest(
            room=room,
            identity=self.identity,
            name=self.name,
            can_publish=self.can_publish,
            can_subscribe=self.can_subscribe,
            can_publish_data=self.can_publish_data,
            can_publish_sources=None if sources is None else tuple(sources),
            ttl=self.ttl,
            metadata=self.metadata,
            attributes=self.attributes,
            hidden=self.hidden,
            audio_only=self.audio_only,
            room_config=room_config,
        )


class NewToken(NewParticipant, frozen=True, kw_only=True):
    """Who wants to join which room, and what they may do there."""

    room: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            description="The room's short name (`demo`) or LiveKit name (`live-demo`).",
            examples=["demo"],
        ),
    ]
    room_config: Annotated[
        RoomConfigBody | None,
        Meta(description="How LiveKit makes the room, when this token is the one that creates it."),
    ] = None
