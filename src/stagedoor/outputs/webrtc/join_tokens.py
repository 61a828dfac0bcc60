"""Issues the join tokens of bridges, after checking that the camera may join its room now."""

from __future__ import annotations

from typing import Final

from stagedoor.access.grants import JoinRequest
from stagedoor.access.issue import TokenIssuer
from stagedoor.kernel.errors import NotFound, StagedoorError
from stagedoor.kernel.texts import shows_nothing
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import SOURCE_ATTRIBUTE, source_of
from stagedoor.outputs.webrtc.protocol import Order
from stagedoor.outputs.webrtc.settings import BridgeSettings
from stagedoor.storage import Database
from stagedoor.streams.senders import Sender, Source
from stagedoor.tenancy.store import app_by_id
from stagedoor.tenancy.token_settings import TokenSettings

_JOIN_SECONDS: Final = 300


class NotReady(StagedoorError):
    """The camera cannot join its room now; the message states why."""


class JoinTokens:
    """Makes the orders of bridges; their join tokens are issued under the same rules as all others."""

    def __init__(self, database: Database, gateway: LiveKitGateway, issuer: TokenIssuer) -> None:
        self._database = database
        self._gateway = gateway
        self._issuer = issuer

    async def _check_identity_free(self, source: Source) -> None:
        """Raise `NotReady` when another participant has the camera's identity: LiveKit removes a participant when
        another one joins with its identity."""
        try:
            other = await self._gateway.participant(source.room, source.identity)
        except NotFound:
            return
        if source_of(other) != source.protocol:
            raise NotReady("Another participant of the room has the camera's identity.")

    async def order(self, sender: Sender) -> Order:
        """Make the order with which the camera joins its room.

        Raises:
            NotReady: The app or the room is gone, the session is for voice only, or another participant has the
                camera's identity.
            Problem: The identity is banned or not valid, the session is over, or LiveKit does not answer.
            StorageUnavailable: The database does not answer.
        """
        source = sender.source
        room = source.room
        app = await self._database.read(lambda tx: app_by_id(tx, source.app_id))
        if app is None:
            raise NotReady("The app is gone.")
        await self._check_identity_free(source)
        if source.settings.of(BridgeSettings).bridge == "demand" and await self._gateway.find_room(room) is None:
            raise NotReady("LiveKit does not list the room any more.")  # to join would create another one
        request = JoinRequest(
            room=room,
            identity=source.identity,
            name=None if shows_nothing(source.name) else source.name,
            metadata=source.metadata or None,
            can_publish=True,
            can_subscribe=False,
            can_publish_data=False,
            can_publish_sources=("camera",),
            ttl=min(_JOIN_SECONDS, app.settings.of(TokenSettings).max_token_ttl),
            own_attributes={SOURCE_ATTRIBUTE: source.protocol},
        )
        issued = await self._issuer.issue(app, request, "camera")
        if not issued.grant.can_publish:
            raise NotReady("The room's session is for voice only.")
        return Order(self._issuer.endpoint.signal_url, issued.jwt, source.max_fps)
