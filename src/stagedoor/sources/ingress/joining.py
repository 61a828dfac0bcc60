"""The join tokens of ingresses, after checking that the participant may join the room now."""

from __future__ import annotations

from typing import Final

from stagedoor.access.grants import JoinRequest
from stagedoor.access.issue import IssuedToken, TokenIssuer
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import CAMERA, SOURCE_ATTRIBUTE, source_of
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.token_settings import TokenSettings

_JOIN_SECONDS: Final = 300
"""LiveKit renews the token of who is in the room."""


class IngressTokens:
    """Issues the join tokens of ingresses, under the same rules as all others."""

    def __init__(self, gateway: LiveKitGateway, issuer: TokenIssuer) -> None:
        self._gateway = gateway
        self._issuer = issuer

    @property
    def livekit_url(self) -> str:
        """LiveKit's server API, as this machine reaches it."""
        return self._issuer.endpoint.url

    async def issue(self, app: App, ingress: Ingress, source: str) -> IssuedToken:
        """A token with which the ingress's participant joins.

        Raises:
            Problem: The identity is banned, the session is over or for voice only, or another participant has the
                identity.
        """
        request = JoinRequest(
            room=ingress.livekit_room,
            identity=ingress.identity,
            name=ingress.name or None,
            metadata=ingress.metadata or None,
            can_publish=True,
            can_subscribe=False,
            can_publish_data=False,
            can_publish_sources=("camera", "microphone"),
            ttl=min(_JOIN_SECONDS, app.settings.of(TokenSettings).max_token_ttl),
            own_attributes={SOURCE_ATTRIBUTE: source},
        )
        issued = await self._issuer.issue(app, request, "ingress")
        if "camera" not in (issued.grant.can_publish_sources or ()):
            raise Conflict("The room's session is for voice only.", code="voice_only")
        await self._check_identity_free(ingress)
        return issued

    async def _check_identity_free(self, ingress: Ingress) -> None:
        """Raise when a participant that is no ingress has the identity: LiveKit would remove it."""
        try:
            other = await self._gateway.participant(ingress.livekit_room, ingress.identity)
        except NotFound:
            return
        if source_of(other) in {None, CAMERA}:
            raise Conflict("Another participant of the room has the ingress's identity.", code="identity_in_use")
