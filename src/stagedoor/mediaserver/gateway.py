"""The gateway to LiveKit's server API: snapshots in and out, Twirp errors as problems for the API's caller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from google.protobuf.message import Message
from livekit import api, protocol

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Invalid, MediaServerFailed, NotFound, Problem, Unavailable
from stagedoor.mediaserver.snapshots import (
    OWN_IDENTITY,
    ParticipantSnapshot,
    Permissions,
    RoomSnapshot,
    ServerState,
    TrackSnapshot,
    clean,
)

_T = TypeVar("_T")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_ROOMS_AT_ONCE: Final = 16

models = protocol.models


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A LiveKit server and the API key for it.

    Attributes:
        url: Where Stagedoor reaches it (http, https, ws or wss).
        client_url: Where browsers reach it (ws or wss).
    """

    url: str
    client_url: str
    api_key: str
    api_secret: str

    @property
    def signal_url(self) -> str:
        """Where Stagedoor's own participants reach it (ws or wss)."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(scheme={"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)))


class LiveKitGateway:
    """LiveKit's room service.

    Every method raises `NotFound` when LiveKit knows no such room, participant or track, `Unavailable` when LiveKit
    does not answer, and another `Problem` when it refuses.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._api = api.LiveKitAPI(
            endpoint.url, endpoint.api_key, endpoint.api_secret, session=self._session, failover=False
        )

    async def close(self) -> None:
        await self._session.close()

    async def ping(self) -> None:
        """Ask something small that needs the key; raises a `Problem` that says what is wrong."""
        await _answer(self._api.room.list_rooms(api.ListRoomsRequest(names=["-"])), "list rooms")

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
        request = api.CreateRoomRequest(
            name=name,
            metadata=metadata,
            empty_timeout=empty_timeout,
            departure_timeout=departure_timeout,
            max_participants=max_participants,
            agents=[api.RoomAgentDispatch(agent_name=agent, metadata=text) for agent, text in agents],
        )
        return _room(await _answer(self._api.room.create_room(request), "create the room"))

    async def rooms(self) -> list[RoomSnapshot]:
        """Every room that lives."""
        answer = await _answer(self._api.room.list_rooms(api.ListRoomsRequest()), "list rooms")
        return [_room(info) for info in answer.rooms]

    async def find_room(self, name: str) -> RoomSnapshot | None:
        """The room, if it lives."""
        answer = await _answer(self._api.room.list_rooms(api.ListRoomsRequest(names=[name])), "list rooms")
        return _room(answer.rooms[0]) if answer.rooms else None

    async def delete_room(self, name: str) -> None:
        await _answer(self._api.room.delete_room(api.DeleteRoomRequest(room=name)), "end the room")

    async def update_room_metadata(self, name: str, metadata: str) -> RoomSnapshot:
        request = api.UpdateRoomMetadataRequest(room=name, metadata=metadata)
        return _room(await _answer(self._api.room.update_room_metadata(request), "change the room"))

    async def participants(self, room: str) -> list[ParticipantSnapshot]:
        request = api.ListParticipantsRequest(room=room)
        answer = await _answer(self._api.room.list_participants(request), "list participants")
        return [_participant(info) for info in answer.participants if not info.identity.startswith(OWN_IDENTITY)]

    async def participant(self, room: str, identity: str) -> ParticipantSnapshot:
        request = api.RoomParticipantIdentity(room=room, identity=identity)
        return _participant(await _answer(self._api.room.get_participant(request), "get the participant"))

    async def remove_participant(self, room: str, identity: str) -> None:
        request = api.RoomParticipantIdentity(room=room, identity=identity)
        await _answer(self._api.room.remove_participant(request), "remove the participant")

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
        request = api.UpdateParticipantRequest(room=room, identity=identity)
        if name is not None:
            request.name = name
        if metadata is not None:
            request.metadata = metadata
        if attributes is not None:
            request.attributes.update(attributes)
        if permissions is not None:
            request.permission.CopyFrom(_permission(permissions))
        return _participant(await _answer(self._api.room.update_participant(request), "change the participant"))

    async def mute_track(self, room: str, identity: str, track_sid: str, *, muted: bool) -> TrackSnapshot:
        request = api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=track_sid, muted=muted)
        return _track((await _answer(self._api.room.mute_published_track(request), "mute the track")).track)

    async def send_data(
        self, room: str, data: bytes, *, topic: str | None, identities: Sequence[str], reliable: bool
    ) -> None:
        """Send to the identities, or to all participants when there are none."""
        kind = models.DataPacket.RELIABLE if reliable else models.DataPacket.LOSSY
        request = api.SendDataRequest(room=room, data=data, kind=kind, destination_identities=identities)
        if topic is not None:
            request.topic = topic
        await _answer(self._api.room.send_data(request), "send the data")

    async def delete_dispatches(self, room: str) -> None:
        """Delete every agent dispatch of the room."""
        service = self._api.agent_dispatch
        for dispatch in await _answer(service.list_dispatch(room), "list agent dispatches"):
            with contextlib.suppress(NotFound):  # it ended in between
                await _answer(service.delete_dispatch(dispatch.id, room), "delete the agent dispatch")

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


async def _answer(call: Awaitable[_T], doing: str) -> _T:
    try:
        return await call
    except api.ServerError as error:
        raise _problem(error, doing) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(
            f"LiveKit did not answer when asked to {doing}; try again shortly.",
            code="media_server_unreachable",
            headers={"Retry-After": "2"},
        ) from error


def _problem(error: api.ServerError, doing: str) -> Problem:
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


def _room(info: models.Room) -> RoomSnapshot:
    return RoomSnapshot(
        info.sid,
        info.name,
        info.creation_time_ms or None,
        info.metadata,
        info.num_participants,
        info.max_participants,
        info.empty_timeout,
        info.departure_timeout,
    )


def _participant(info: models.ParticipantInfo) -> ParticipantSnapshot:
    permission = info.permission
    return ParticipantSnapshot(
        info.sid,
        clean(info.identity),
        clean(info.name),
        _enum(info, "kind"),
        _enum(info, "state"),
        info.joined_at_ms or None,
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


def _track(info: models.TrackInfo) -> TrackSnapshot:
    return TrackSnapshot(
        info.sid,
        _enum(info, "type"),
        _enum(info, "source"),
        info.mime_type,
        info.muted,
        info.name,
        info.width,
        info.height,
    )


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
