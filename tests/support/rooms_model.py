"""A small LiveKit: it lives through a history, sends the webhooks that the real one would, and lists what it has.

What it sends is written as the real server writes it (protojson): 64-bit integers as strings, zero values left out,
`createdAt` in whole seconds, tracks' events with the participant's SID and identity alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from stagedoor.mediaserver.snapshots import ParticipantSnapshot, RoomSnapshot, ServerState, TrackSnapshot

BEGINNING: Final = 1_760_000_000_250

TrackKind = Literal["audio", "video"]
Whereabouts = Literal["named", "nameless", "absent"]
"""What a track's event says of its room: all, nothing in it, or not even that."""


@dataclass
class ModelTrack:
    """A track, as LiveKit knows it."""

    sid: str
    kind: TrackKind
    source: str
    mime_type: str
    published_at: int
    unpublished_at: int | None = None


@dataclass
class ModelParticipant:
    """A participant; `active_at` is when its media was connected, `joined_at` when it began to connect."""

    sid: str
    identity: str
    name: str
    kind: str
    joined_at: int
    active_at: int | None = None
    left_at: int | None = None
    reason: str | None = None
    tracks: list[ModelTrack] = field(default_factory=list[ModelTrack])

    @property
    def there(self) -> bool:
        return self.left_at is None

    @property
    def live_tracks(self) -> list[ModelTrack]:
        return [track for track in self.tracks if track.unpublished_at is None]


@dataclass
class ModelRoom:
    """One life of a room; `lost` when LiveKit died with it."""

    name: str
    sid: str
    created_at: int
    finished_at: int | None = None
    lost: bool = False
    participants: list[ModelParticipant] = field(default_factory=list[ModelParticipant])

    @property
    def present(self) -> list[ModelParticipant]:
        return [person for person in self.participants if person.there]

    @property
    def active(self) -> list[ModelParticipant]:
        return [person for person in self.present if person.active_at is not None]


@dataclass(frozen=True)
class Sent:
    """A webhook: its body, and when LiveKit sent it off in milliseconds since the epoch."""

    id: str
    event: str
    room_name: str
    at: int
    body: bytes

    def __repr__(self) -> str:
        said = json.loads(self.body)
        things = (said.get(thing, {}).get("sid", "-") for thing in ("room", "participant", "track"))
        return f"{self.id} +{self.at - BEGINNING} {self.event} {' '.join(things)}"


class LiveKitModel:
    """A LiveKit that does what the test wants.

    Attributes:
        now: Its clock, in milliseconds since the epoch.
        rooms: Every room that ever was, in order of creation.
        sent: Every webhook, in order of sending.
    """

    def __init__(self) -> None:
        self.now = BEGINNING
        self.rooms: list[ModelRoom] = []
        self.sent: list[Sent] = []
        self._counter = 0

    # What can be asked

    @property
    def live(self) -> list[ModelRoom]:
        return [room for room in self.rooms if room.finished_at is None and not room.lost]

    def room(self, name: str) -> ModelRoom | None:
        return next((room for room in self.live if room.name == name), None)

    def present(self) -> Iterator[tuple[ModelRoom, ModelParticipant]]:
        for room in self.live:
            for person in room.present:
                yield room, person

    def listing(self) -> ServerState:
        """What `ListRooms` and `ListParticipants` say now."""
        return ServerState(
            self.now,
            tuple(
                (
                    RoomSnapshot(room.sid, room.name, room.created_at, num_participants=len(room.active)),
                    tuple(_fact(person) for person in room.present),
                )
                for room in self.live
            ),
        )

    # What can happen

    def create(self, name: str) -> ModelRoom:
        """The room of that name, which begins to live if it does not."""
        room = self.room(name)
        if room is None:
            room = ModelRoom(name, self._sid("RM"), self.now)
            self.rooms.append(room)
            self._send("room_started", room)
        return room

    def connect(self, name: str, identity: str, *, kind: str = "standard", named: bool = True) -> ModelParticipant:
        """A participant begins to connect, of which LiveKit reports nothing yet; who had the identity has to leave."""
        room = self.create(name)
        same = [person for person in room.present if person.identity == identity]
        display = identity.title() if named else ""
        newcomer = ModelParticipant(self._sid("PA"), identity, display, kind, self.now)
        room.participants.append(newcomer)
        for person in same:
            self.leave(room, person, "DUPLICATE_IDENTITY")
        return newcomer

    def activate(self, room: ModelRoom, person: ModelParticipant) -> None:
        """Its media is connected."""
        if person.active_at is None:
            person.active_at = self.now
            self._send("participant_joined", room, participant=_wire(person, "ACTIVE"))

    def reconnect(self, room: ModelRoom, person: ModelParticipant) -> ModelParticipant:
        """It comes back under a new SID before LiveKit has reported that it left (livekit/livekit#2399)."""
        newcomer = ModelParticipant(self._sid("PA"), person.identity, person.name, person.kind, self.now)
        room.participants.append(newcomer)
        self.activate(room, newcomer)
        self.leave(room, person, "DUPLICATE_IDENTITY")
        return newcomer

    def leave(self, room: ModelRoom, person: ModelParticipant, reason: str) -> None:
        """It is gone; one that never became active was aborted."""
        for track in person.live_tracks:
            self.unpublish(room, person, track)
        person.left_at = self.now
        person.reason = reason
        event = "participant_left" if person.active_at is not None else "participant_connection_aborted"
        self._send(event, room, participant=_wire(person, "DISCONNECTED"))

    def publish(
        self, room: ModelRoom, person: ModelParticipant, kind: TrackKind, whereabouts: Whereabouts = "named"
    ) -> None:
        """It publishes a track."""
        source, mime_type = ("CAMERA", "video/VP8") if kind == "video" else ("MICROPHONE", "audio/opus")
        track = ModelTrack(self._sid("TR"), kind, source, mime_type, self.now)
        person.tracks.append(track)
        self._send_track("track_published", room, person, track, whereabouts)

    def unpublish(
        self, room: ModelRoom, person: ModelParticipant, track: ModelTrack, whereabouts: Whereabouts = "named"
    ) -> None:
        """A track ends."""
        track.unpublished_at = self.now
        self._send_track("track_unpublished", room, person, track, whereabouts)

    def finish(self, room: ModelRoom) -> None:
        """The room is over; who is in it is put out."""
        for person in room.present:
            self.leave(room, person, "ROOM_DELETED")
        room.finished_at = self.now
        self._send("room_finished", room)

    def crash(self) -> None:
        """LiveKit dies and comes back empty, without a word."""
        for room in self.live:
            room.lost = True

    # How it is written

    def _sid(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}_{self._counter:06d}"

    def _send_track(
        self, event: str, room: ModelRoom, person: ModelParticipant, track: ModelTrack, whereabouts: Whereabouts
    ) -> None:
        wire: dict[str, Any] = {"sid": track.sid, "source": track.source, "mimeType": track.mime_type}
        if track.kind == "video":  # AUDIO is the zero value
            wire["type"] = "VIDEO"
        given: dict[str, Any] | None = {"sid": room.sid, "name": room.name} if whereabouts == "named" else {}
        self._send(
            event,
            room,
            participant={"sid": person.sid, "identity": person.identity},
            track=wire,
            room_as=None if whereabouts == "absent" else given,
            short=True,
        )

    def _send(
        self,
        event: str,
        room: ModelRoom,
        *,
        participant: dict[str, Any] | None = None,
        track: dict[str, Any] | None = None,
        room_as: dict[str, Any] | None = None,
        short: bool = False,
    ) -> None:
        said = room_as if short else _wire_room(room)
        event_id = self._sid("EV")
        body: dict[str, Any] = {"event": event, "id": event_id, "createdAt": str(self.now // 1000)}
        if said is not None:
            body["room"] = said
        if participant is not None:
            body["participant"] = participant
        if track is not None:
            body["track"] = track
        name = str(said.get("name", "")) if said else ""
        self.sent.append(Sent(event_id, event, name, self.now, json.dumps(body).encode()))


def _wire_room(room: ModelRoom) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "sid": room.sid,
        "name": room.name,
        "emptyTimeout": 300,
        "departureTimeout": 20,
        "creationTime": str(room.created_at // 1000),
        "creationTimeMs": str(room.created_at),
        "enabledCodecs": [{"mime": "audio/opus"}, {"mime": "video/VP8"}],
    }
    if room.active:
        wire["numParticipants"] = len(room.active)
    return wire


def _wire(person: ModelParticipant, state: str) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "sid": person.sid,
        "identity": person.identity,
        "state": state,
        "joinedAt": str(person.joined_at // 1000),
        "joinedAtMs": str(person.joined_at),
        "permission": {"canSubscribe": True, "canPublish": True, "canPublishData": True},
    }
    if person.name:
        wire["name"] = person.name
    if person.kind != "standard":
        wire["kind"] = person.kind.upper()
    if person.reason is not None:
        wire["disconnectReason"] = person.reason
    return wire


def _fact(person: ModelParticipant) -> ParticipantSnapshot:
    return ParticipantSnapshot(
        person.sid,
        person.identity,
        person.name,
        person.kind,
        "joined" if person.active_at is None else "active",
        person.joined_at,
        tracks=tuple(
            TrackSnapshot(track.sid, track.kind, track.source.lower(), track.mime_type) for track in person.live_tracks
        ),
    )
