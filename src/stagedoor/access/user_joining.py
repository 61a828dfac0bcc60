"""Joining a room as a user: the access level is asked, and the token has exactly the grants of the role."""

from __future__ import annotations

from dataclasses import dataclass

from stagedoor.access.admission import PAGE_TOKEN_TTL
from stagedoor.access.grants import JoinRequest
from stagedoor.access.issue import IssuedToken, TokenIssuer
from stagedoor.access.room_access import access_of, admitted_role, permissions_of, standing_of
from stagedoor.access.room_access_store import find_access
from stagedoor.access.room_roles import RoomRole
from stagedoor.access.user_identities import attributes_for, identity_for
from stagedoor.kernel.errors import Forbidden, NotFound
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import Permissions
from stagedoor.people.nouns import User
from stagedoor.rooms import rooms, store
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import OPERATOR, Principal
from stagedoor.tenancy.token_settings import TokenSettings


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user was admitted, and as what."""

    app: App
    livekit_room: str
    user: User
    role: RoomRole
    permissions: Permissions


class UserJoining:
    """Lets users join.

    Args:
        database: Where users, roles and rooms are.
        gateway: Who is in the room now.
        issuer: The way to every token.
    """

    def __init__(self, database: Database, gateway: LiveKitGateway, issuer: TokenIssuer) -> None:
        self._database = database
        self._gateway = gateway
        self._issuer = issuer

    async def join(self, caller: Principal, app: str, room: str, device: str | None) -> tuple[Place, IssuedToken]:
        """A token for the user who calls.

        Raises:
            NotFound: There is no such app or room, or a stranger may not know of it.
            Forbidden: The user may not join, or the caller is no user.
            Conflict: The session that the room was for is over.
        """
        if caller.kind not in {"session", "token"}:
            raise Forbidden(
                "Only users join rooms as themselves; mint a token for a participant instead.", code="user_required"
            )
        place = await self._database.read(lambda tx: _admitted(tx, caller, app, room))
        try:
            present = await self._gateway.participants(place.livekit_room)
        except NotFound:  # the room is not there yet
            present = []
        identity, mark = identity_for(place.user, device, present)
        allowed = place.permissions
        request = JoinRequest(
            room=place.livekit_room,
            identity=identity,
            name=place.user.name,
            can_publish=allowed.can_publish,
            can_subscribe=allowed.can_subscribe,
            can_publish_data=allowed.can_publish_data,
            can_publish_sources=allowed.can_publish_sources if allowed.can_publish else None,
            ttl=min(PAGE_TOKEN_TTL, place.app.settings.of(TokenSettings).max_token_ttl),
            own_attributes=attributes_for(place.user, place.role, mark),
        )
        return place, await self._issuer.issue(place.app, request, "user", ends_by=caller.expires_at)


def _admitted(tx: Transaction, caller: Principal, app: str, room: str) -> Place:
    # A session is the user, wherever the room is; a token stays where it acts.
    found = apps.get(tx, OPERATOR if caller.kind == "session" else caller, app)
    name = rooms.known_or_new(tx, found, room)
    standing = standing_of(tx, found, name, caller.key_id)
    try:
        role = admitted_role(standing, access_of(tx, found, name))
    except Forbidden:
        if standing.member is None:  # a stranger does not learn what there is
            raise NotFound("There is no such app.", code="app_not_found") from None
        raise
    user = standing.user
    assert user is not None  # noqa: S101 - it would not have been admitted
    if role != "host" and standing.member not in {"owner", "admin", "member"}:
        _require_known(tx, found, name)
    return Place(found, name, user, role, permissions_of(tx, name, role))


def _require_known(tx: Transaction, app: App, livekit_room: str) -> None:
    """One who may create no room does not create one by joining it."""
    known = store.room_by_livekit_name(tx, livekit_room) or find_access(tx, app.id, livekit_room)
    if known is None and store.created_session_of_room(tx, livekit_room) is None:
        raise NotFound("There is no such room.", code="room_not_found")
