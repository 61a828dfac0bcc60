"""What a bridge needs to join, made when everything allows it."""

from __future__ import annotations

from typing import Final

from stagedoor.bridges.protocol import Order
from stagedoor.cameras.live import LiveCamera
from stagedoor.kernel.errors import NotFound, StagedoorError
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.plans import Plans
from stagedoor.tokens.grants import Grant, under_plan
from stagedoor.tokens.mint import mint

SOURCE_ATTRIBUTE: Final = "stagedoor.source"
"""The participant attribute that says how a participant's media came in."""

_JOIN_SECONDS: Final = 300


class NotNow(StagedoorError):
    """The camera can't join its room now."""


class Tickets:
    """Makes orders for bridges, under the rules of every join token: bans, and plans of announced sessions."""

    def __init__(self, gateway: LiveKitGateway, bans: Bans, plans: Plans) -> None:
        self._gateway = gateway
        self._bans = bans
        self._plans = plans

    async def _leave_to_others(self, room: str, identity: str) -> None:
        """LiveKit puts out whoever has the identity of one that joins; that must be nobody but an older self."""
        try:
            other = await self._gateway.participant(room, identity)
        except NotFound:
            return
        if other.attributes.get(SOURCE_ATTRIBUTE) != "camera":
            raise NotNow("Somebody in the room has the camera's identity.")

    async def order(self, live: LiveCamera) -> Order:
        """How the camera joins its room.

        Raises:
            NotNow: Its room is gone, its session has no pictures, or somebody else has its identity.
            Problem: It is banned, the session is over, or LiveKit does not answer.
            StorageUnavailable: The database does not answer.
        """
        camera = live.camera
        room = camera.livekit_room
        await self._leave_to_others(room, camera.identity)
        await self._bans.refuse_banned(room, camera.identity)
        if live.settings.camera_bridge == "demand" and await self._gateway.find_room(room) is None:
            raise NotNow("LiveKit does not list the room any more.")  # to join it would make another one
        grant = Grant(
            livekit_room=room,
            identity=camera.identity,
            name=camera.name or None,
            can_publish=True,
            can_subscribe=False,
            can_publish_data=False,
            can_publish_sources=("camera",),
            ttl=_JOIN_SECONDS,
            metadata=None,
            attributes={SOURCE_ATTRIBUTE: "camera"},
            hidden=False,
            room_config=None,
        )
        plan = await self._plans.of(room)
        if plan is not None:
            grant = under_plan(grant, plan)
        if not grant.can_publish:
            raise NotNow("The room's session is for voice alone.")
        endpoint = self._gateway.endpoint
        token = mint(endpoint.api_key, endpoint.api_secret, grant)
        return Order(endpoint.signal_url, token, live.settings.camera_max_fps)
