"""What a bridge needs to join, made when everything allows it."""

from __future__ import annotations

from typing import Final

from stagedoor.access.grants import JoinRequest
from stagedoor.access.issue import TokenIssuer
from stagedoor.kernel.errors import NotFound, StagedoorError
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outputs.webrtc.protocol import Order
from stagedoor.outputs.webrtc.settings import BridgeSettings
from stagedoor.storage import Database
from stagedoor.streams.senders import Sender
from stagedoor.tenancy.store import app_by_id
from stagedoor.tenancy.token_settings import TokenSettings

SOURCE_ATTRIBUTE: Final = "stagedoor.source"
"""The participant attribute that says how a participant's media came in."""

_JOIN_SECONDS: Final = 300


class NotReady(StagedoorError):
    """The camera cannot join its room now."""


class JoinTokens:
    """Makes orders for bridges, with a join token under the rules of every other."""

    def __init__(self, database: Database, gateway: LiveKitGateway, issuer: TokenIssuer) -> None:
        self._database = database
        self._gateway = gateway
        self._issuer = issuer

    async def _leave_to_others(self, room: str, identity: str) -> None:
        """LiveKit removes the participant with the identity of one that joins; that must be the camera itself."""
        try:
            other = await self._gateway.participant(room, identity)
        except NotFound:
            return
        if other.attributes.get(SOURCE_ATTRIBUTE) != "camera":
            raise NotReady("Another participant of the room has the camera's identity.")

    async def order(self, sender: Sender) -> Order:
        """How the camera joins its room.

        Raises:
            NotReady: Its app or its room is gone, its session has no pictures, or another participant has its identity.
            Problem: It is banned, its identity cannot be had, the session is over, or LiveKit does not answer.
            StorageUnavailable: The database does not answer.
        """
        source = sender.source
        room = source.room
        app = await self._database.read(lambda tx: app_by_id(tx, source.app_id))
        if app is None:
            raise NotReady("The app is gone.")
        await self._leave_to_others(room, source.identity)
        if source.settings.of(BridgeSettings).bridge == "demand" and await self._gateway.find_room(room) is None:
            raise NotReady("LiveKit does not list the room any more.")  # to join it would make another one
        request = JoinRequest(
            room=room,
            identity=source.identity,
            name=source.name or None,
            can_publish=True,
            can_subscribe=False,
            can_publish_data=False,
            can_publish_sources=("camera",),
            ttl=min(_JOIN_SECONDS, app.settings.of(TokenSettings).max_token_ttl),
            attributes={SOURCE_ATTRIBUTE: "camera"},
        )
        issued = await self._issuer.issue(app, request, "camera")
        if not issued.grant.can_publish:
            raise NotReady("The room's session is for voice alone.")
        return Order(self._issuer.endpoint.signal_url, issued.jwt, source.max_fps)
