"""The gateway to LiveKit's server API: snapshots in and out, Twirp errors as problems for the API's caller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
from google.protobuf.message import Message
from livekit.protocol import agent_dispatch, models
from livekit.protocol import room as rooms

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Invalid, MediaServerFailed, NotFound, Problem, Unavailable
from stagedoor.mediaserver import twirp
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.snapshots import (
    OWN_IDENTITY,
    ParticipantSnapshot,
    Permissions,
    RoomSnapshot,
    ServerState,
    TrackSnapshot,
    clean,
    plausible,
    with_kind,
)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_ROOMS_AT_ONCE: Final = 16
_CREATE: Final = {"roomCreate": True}

M = TypeVar("M", bound=Message)


class LiveKitGateway:
    """LiveKit's room service.

    Every method raises `NotFound` when LiveKit knows no such room, participant or track, `Unavailable` when LiveKit
    does not answer, and another `Problem` when it refuses.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        await self._session.close()

    async def ping(self) -> None:
        """Ask something small that needs the key; raises a `Problem` that says what is wrong."""
        await self._list(["-"])

    async def create_room(
        self,
        name: str,
        *,
        metadata: str = "",
        empty_timeout: int = 0,
        departure_timeout: int = 0,
        max_participants: int = 0,
        agents: Sequence[tuple[str, str]] = (),
    ) -> RoomSnapshot:
        """Create a room, or get the one that lives; time-outs are seconds, and 0 is LiveKit's own default."""
        request = rooms.CreateRoomRequest(
            name=name,
            metadata=metadata,
            empty_timeout=empty_timeout,
            departure_timeout=departure_timeout,
            max_participants=max_participants,
            agents=[agent_dispatch.RoomAgentDispatch(agent_name=agent, metadata=text) for agent, text in agents],
        )
        return _room(await self.call("CreateRoom", request, models.Room, _CREATE, "create the room"))

    async def rooms(self) -> list[RoomSnapshot]:
        """Every room that lives."""
        return [_room(info) for info in await self._list([])]

    async def find_room(self, name: str) -> RoomSnapshot | None:
        """The room, if it lives."""
        found = await self._list([name])
        return _room(found[0]) if found else None

    async def delete_room(self, name: str) -> None:
        request = rooms.DeleteRoomRequest(room=name)
        await self.call("DeleteRoom", request, rooms.DeleteRoomResponse, _CREATE, "end the room")

    async def update_room_metadata(self, name: str, metadata: str) -> RoomSnapshot:
        request = rooms.UpdateRoomMetadataRequest(room=name, metadata=metadata)
        grants = _admin(name)
        return _room(await self.call("UpdateRoomMetadata", request, models.Room, grants, "change the room"))

    async def participants(self, room: str) -> list[ParticipantSnapshot]:
        request = rooms.ListParticipantsRequest(room=room)
        answer = await self.call(
            "ListParticipants", request, rooms.ListParticipantsResponse, _admin(room), "list participants"
        )
        return [_participant(info) for info in answer.participants if not info.identity.startswith(OWN_IDENTITY)]

    async def participant(self, room: str, identity: str) -> ParticipantSnapshot:
        request = rooms.RoomParticipantIdentity(room=room, identity=identity)
        doing = "get the participant"
        return _participant(await self.call("GetParticipant", request, models.ParticipantInfo, _admin(room), doing))

    async def remove_participant(self, room: str, identity: str) -> None:
        request = rooms.RoomParticipantIdentity(room=room, identity=identity)
        answer = rooms.RemoveParticipantResponse
        await self.call("RemoveParticipant", request, answer, _admin(room), "remove the participant")

    async def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
        permissions: Permissions | None = None,
    ) -> ParticipantSnapshot:
        """Change a participant; an attribute set to the empty text is removed. LiveKit takes permissions as a whole."""
        request = rooms.UpdateParticipantRequest(room=room, identity=identity)
        if name is not None:
            request.name = name
        if metadata is not None:
            request.metadata = metadata
        if attributes is not None:
            request.attributes.update(attributes)
        if permissions is not None:
            request.permission.CopyFrom(_permission(permissions))
        doing = "change the participant"
        return _participant(await self.call("UpdateParticipant", request, models.ParticipantInfo, _admin(room), doing))

    async def mute_track(self, room: str, identity: str, track_sid: str, *, muted: bool) -> TrackSnapshot:
        request = rooms.MuteRoomTrackRequest(room=room, identity=identity, track_sid=track_sid, muted=muted)
        answer = rooms.MuteRoomTrackResponse
        return _track((await self.call("MutePublishedTrack", request, answer, _admin(room), "mute the track")).track)

    async def send_data(
        self, room: str, data: bytes, *, topic: str | None, identities: Sequence[str], reliable: bool
    ) -> None:
        """Send to the identities, or to all participants when there are none."""
        kind = models.DataPacket.RELIABLE if reliable else models.DataPacket.LOSSY
        request = rooms.SendDataRequest(room=room, data=data, kind=kind, destination_identities=identities)
        if topic is not None:
            request.topic = topic
        await self.call("SendData", request, rooms.SendDataResponse, _admin(room), "send the data")

    async def delete_dispatches(self, room: str) -> None:
        """Delete every agent dispatch of the room."""
        service, grants = "AgentDispatchService", _admin(room)
        answer = await self.call(
            "ListDispatch",
            agent_dispatch.ListAgentDispatchRequest(room=room),
            agent_dispatch.ListAgentDispatchResponse,
            grants,
            "list agent dispatches",
            service=service,
        )
        for dispatch in answer.agent_dispatches:
            request = agent_dispatch.DeleteAgentDispatchRequest(dispatch_id=dispatch.id, room=room)
            with contextlib.suppress(NotFound):  # it ended by itself meanwhile
                await self.call(
                    "DeleteDispatch",
                    request,
                    agent_dispatch.AgentDispatch,
                    grants,
                    "call off the agent",
                    service=service,
                )

    async def _list(self, names: Sequence[str]) -> list[models.Room]:
        request = rooms.ListRoomsRequest(names=names)
        answer = await self.call("ListRooms", request, rooms.ListRoomsResponse, {"roomList": True}, "list rooms")
        return list(answer.rooms)

    async def call(
        self,
        method: str,
        request: Message,
        answer: type[M],
        grants: dict[str, Any],
        doing: str,
        *,
        service: str = "RoomService",
    ) -> M:
        """Call a method of the server API.

        Args:
            method: Its name.
            request: Its message.
            answer: The type of the answer.
            grants: What the call needs, as LiveKit names it in a token's `video`.
            doing: What is asked for, for the sentence of an error.
            service: The service that has the method.
        """
        try:
            return await twirp.call(self._session, self.endpoint, f"{service}/{method}", request, answer, grants)
        except twirp.TwirpError as error:
            raise _problem(error, doing) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                f"LiveKit did not answer when asked to {doing}; try again shortly.",
                code="media_server_unreachable",
                headers={"Retry-After": "2"},
            ) from error

    async def list_everything(self) -> ServerState:
        """Every room with its participants and their tracks."""
        taken_at = now_ms()
        limit = asyncio.Semaphore(_ROOMS_AT_ONCE)

        async def people(room: RoomSnapshot) -> tuple[RoomSnapshot, tuple[ParticipantSnapshot, ...]] | None:
            async with limit:
                try:
                    return room, tuple(await self.participants(room.name))
                except NotFound:
                    return None  # it ended between the two questions

        found = await asyncio.gather(*(people(room) for room in await self.rooms()))
        # Participants are listed by the room's name: a room that was created again in between lists another session's.
        still = {room.sid for room in await self.rooms()} if found else set[str]()
        return ServerState(taken_at, tuple(room for room in found if room is not None and room[0].sid in still))


def _problem(error: twirp.TwirpError, doing: str) -> Problem:
    """LiveKit's Twirp error as a problem for the API's caller; its message names no internals."""
    sentence = f"LiveKit would not {doing}: {error.message}."
    match error.code:
        case "not_found":
            return NotFound(f"LiveKit has nothing of that name, so it could not {doing}.", code="not_live")
        case "invalid_argument" | "malformed" | "out_of_range":
            return Invalid(sentence, code="media_server_refused")
        case "failed_precondition" | "already_exists" | "aborted":
            return Conflict(sentence, code="media_server_refused")
        case "unavailable" | "deadline_exceeded" | "resource_exhausted":
            return Unavailable(sentence, code="media_server_unreachable", headers={"Retry-After": "2"})
        case "unauthenticated" | "permission_denied":
            return _key_refused()
        case _:
            # A wrong secret is refused before Twirp is reached, with a bare 401 (LiveKit's APIKeyAuthMiddleware).
            return _key_refused() if error.status in {401, 403} else MediaServerFailed(sentence)


def _key_refused() -> MediaServerFailed:
    return MediaServerFailed(
        "LiveKit did not accept Stagedoor's API key; `stagedoor doctor` says more.", code="media_server_key_refused"
    )


def _admin(room: str) -> dict[str, Any]:
    return {"roomAdmin": True, "room": room}


def _room(info: models.Room) -> RoomSnapshot:
    return RoomSnapshot(
        info.sid,
        info.name,
        plausible(info.creation_time_ms),
        info.metadata,
        info.num_participants,
        info.max_participants,
        info.empty_timeout,
        info.departure_timeout,
    )


def _participant(info: models.ParticipantInfo) -> ParticipantSnapshot:
    permission = info.permission
    fact = ParticipantSnapshot(
        info.sid,
        clean(info.identity),
        clean(info.name),
        _enum(info, "kind"),
        _enum(info, "state"),
        plausible(info.joined_at_ms),
        None,
        info.metadata,
        dict(info.attributes),
        Permissions(
            permission.can_subscribe,
            permission.can_publish,
            permission.can_publish_data,
            tuple(models.TrackSource.Name(source).lower() for source in permission.can_publish_sources),
            permission.can_update_metadata,
            permission.hidden,
        )
        if info.HasField("permission")
        else None,
        tuple(_track(track) for track in info.tracks),
    )
    return with_kind(fact)


def _track(info: models.TrackInfo) -> TrackSnapshot:
    return TrackSnapshot(
        info.sid,
        _enum(info, "type"),
        _enum(info, "source"),
        info.mime_type,
        info.muted,
        info.name,
        *_size(info),
    )


def _size(info: models.TrackInfo) -> tuple[int, int]:
    """The size of the largest layer that LiveKit knows the size of."""
    layers = [layer for codec in info.codecs for layer in codec.layers]
    sizes = [(info.width, info.height), *((layer.width, layer.height) for layer in layers)]
    return max(sizes, key=lambda size: size[0] * size[1])


def _permission(permissions: Permissions) -> models.ParticipantPermission:
    return models.ParticipantPermission(
        can_subscribe=permissions.can_subscribe,
        can_publish=permissions.can_publish,
        can_publish_data=permissions.can_publish_data,
        can_publish_sources=[source.upper() for source in permissions.can_publish_sources],
        can_update_metadata=permissions.can_update_metadata,
        hidden=permissions.hidden,
    )


def _enum(message: Message, field: str) -> str:
    """An enum field's value by LiveKit's name in lower case; its number when this library does not know it yet."""
    number: int = getattr(message, field)
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    known = enum.values_by_number.get(number) if enum else None
    return known.name.lower() if known else str(number)
