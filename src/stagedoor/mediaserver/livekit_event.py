"""LiveKit's webhook body: the protojson of `livekit.WebhookEvent`.

protojson writes camelCase, leaves out zero values, names enums, and writes 64-bit integers as strings
(livekit/protocol `protobufs/livekit_webhook.proto`); so an absent `kind` is STANDARD and an absent `state` JOINING.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from stagedoor.mediaserver.snapshots import (
    LONGEST_METADATA,
    LONGEST_SID,
    LONGEST_WORD,
    ParticipantSnapshot,
    Permissions,
    RoomSnapshot,
    TrackSnapshot,
    clean,
    plausible,
    with_kind,
)

ROOM_EVENTS: Final = frozenset(
    {
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_left",
        "participant_connection_aborted",
        "track_published",
        "track_unpublished",
    }
)
MEDIA_EVENTS: Final = frozenset(
    {"egress_started", "egress_updated", "egress_ended", "ingress_started", "ingress_ended"}
)


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    pass


class WireRoom(_Wire, frozen=True):
    sid: str = ""
    name: str = ""
    creation_time_ms: int = 0
    metadata: str = ""
    num_participants: int = 0
    max_participants: int = 0
    empty_timeout: int = 0
    departure_timeout: int = 0

    def fact(self) -> RoomSnapshot:
        return RoomSnapshot(
            clean(self.sid, LONGEST_SID),
            clean(self.name),
            plausible(self.creation_time_ms),
            clean(self.metadata, LONGEST_METADATA),
            self.num_participants,
            self.max_participants,
            self.empty_timeout,
            self.departure_timeout,
        )


class WirePermission(_Wire, frozen=True):
    can_subscribe: bool = False
    can_publish: bool = False
    can_publish_data: bool = False
    can_publish_sources: tuple[str, ...] = ()
    can_update_metadata: bool = False
    hidden: bool = False

    def fact(self) -> Permissions:
        return Permissions(
            self.can_subscribe,
            self.can_publish,
            self.can_publish_data,
            tuple(source.lower() for source in self.can_publish_sources),
            self.can_update_metadata,
            self.hidden,
        )


class WireParticipant(_Wire, frozen=True):
    sid: str = ""
    identity: str = ""
    name: str = ""
    kind: str = "STANDARD"
    state: str = "JOINING"
    joined_at: int = 0
    joined_at_ms: int = 0
    disconnect_reason: str = ""
    metadata: str = ""
    attributes: dict[str, str] = {}
    permission: WirePermission | None = None

    def fact(self) -> ParticipantSnapshot:
        fact = ParticipantSnapshot(
            clean(self.sid, LONGEST_SID),
            clean(self.identity),
            clean(self.name),
            clean(self.kind.lower(), LONGEST_WORD),
            clean(self.state.lower(), LONGEST_WORD),
            plausible(self.joined_at_ms) or plausible(self.joined_at * 1000),
            clean(self.disconnect_reason, LONGEST_WORD) or None,
            self.metadata,
            self.attributes,
            None if self.permission is None else self.permission.fact(),
        )
        return with_kind(fact)


class WireTrack(_Wire, frozen=True):
    sid: str = ""
    type: str = "AUDIO"
    source: str = "UNKNOWN"
    mime_type: str = ""
    muted: bool = False
    name: str = ""
    width: int = 0
    height: int = 0

    def fact(self) -> TrackSnapshot:
        return TrackSnapshot(
            clean(self.sid, LONGEST_SID),
            clean(self.type.lower(), LONGEST_WORD),
            clean(self.source.lower(), LONGEST_WORD),
            clean(self.mime_type, LONGEST_WORD),
            self.muted,
            self.name,
            self.width,
            self.height,
        )


class WireEgress(_Wire, frozen=True):
    egress_id: str = ""
    room_id: str = ""
    room_name: str = ""
    status: str = "EGRESS_STARTING"
    error: str = ""
    started_at: int = 0
    ended_at: int = 0
    file_results: tuple[Any, ...] = ()
    segment_results: tuple[Any, ...] = ()
    file: Any = None
    segments: Any = None

    @property
    def began(self) -> int | None:
        """When it began, in milliseconds since the epoch; `None` for one that never did. LiveKit gives nanoseconds."""
        return plausible(self.started_at // 1_000_000)

    @property
    def ended(self) -> int | None:
        """When it ended, likewise."""
        return plausible(self.ended_at // 1_000_000)

    @property
    def recorded(self) -> bool:
        """Whether it wrote files or segments; the two without `results` are the older form of the same."""
        return bool(self.file_results or self.segment_results or self.file or self.segments)


class WireIngressState(_Wire, frozen=True):
    room_id: str = ""
    started_at: int = 0
    status: str = "ENDPOINT_INACTIVE"
    error: str = ""


class WireIngress(_Wire, frozen=True):
    ingress_id: str = ""
    room_name: str = ""
    participant_identity: str = ""
    state: WireIngressState | None = None


class LiveKitEvent(_Wire, frozen=True):
    """One event. `created_at` is whole seconds since the epoch, when LiveKit sent it off."""

    event: str
    id: str = ""
    created_at: int = 0
    room: WireRoom | None = None
    participant: WireParticipant | None = None
    track: WireTrack | None = None
    egress_info: WireEgress | None = None
    ingress_info: WireIngress | None = None

    @property
    def room_name(self) -> str:
        """The LiveKit room that the event is about; empty when it names none."""
        for source in (
            self.room and self.room.name,
            self.egress_info and self.egress_info.room_name,
            self.ingress_info and self.ingress_info.room_name,
        ):
            if source:
                return source
        return ""

    @property
    def media_room_sid(self) -> str:
        """The SID of the room that an egress or ingress event names; empty when it names none."""
        if self.egress_info is not None:
            return clean(self.egress_info.room_id, LONGEST_SID)
        state = self.ingress_info and self.ingress_info.state
        return clean(state.room_id, LONGEST_SID) if state else ""

    @property
    def media_began(self) -> int | None:
        """When the egress or ingress began, in milliseconds since the epoch, if LiveKit says."""
        if self.egress_info is not None:
            return self.egress_info.began
        state = self.ingress_info and self.ingress_info.state
        return plausible(state.started_at // 1_000_000) if state else None

    @property
    def sent_at(self) -> int | None:
        """When LiveKit sent it off, in whole seconds since the epoch."""
        at = plausible(self.created_at * 1000)
        return None if at is None else at // 1000


_DECODER = msgspec.json.Decoder(LiveKitEvent, strict=False)  # lenient, because int64 comes as a string


def decode_event(body: bytes) -> LiveKitEvent:
    """The event in a webhook's body.

    Raises:
        ValueError: The body is not an event.
    """
    try:
        event = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not event.event:
        raise ValueError("the event has no name")
    return event


def subject_of(event: LiveKitEvent) -> dict[str, Any]:
    """What an egress or ingress event is about, for a timeline."""
    if event.egress_info is not None:
        return {"egressId": event.egress_info.egress_id, "status": event.egress_info.status.lower()}
    if event.ingress_info is not None:
        state = event.ingress_info.state or WireIngressState()
        return {
            "ingressId": event.ingress_info.ingress_id,
            "identity": event.ingress_info.participant_identity,
            "status": clean(state.status.lower(), LONGEST_WORD),
            "error": clean(state.error) or None,
        }
    return {}
