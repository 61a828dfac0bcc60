"""`GET /me/rooms`: the rooms that a user may join."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from pydantic import Field

from stagedoor.access.room_access import role_of
from stagedoor.access.room_roles import RoomRole
from stagedoor.api.authentication import RoomsJoin
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import Page, PageInfo, ResponseModel
from stagedoor.kernel.errors import Forbidden
from stagedoor.people import store as people_store
from stagedoor.rooms import store
from stagedoor.storage import Transaction
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.store import apps_of_organisation

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/me", tags=["Own account"])

MOST: Final = 200


class OwnRoomBody(ResponseModel):
    """A room that the user may join."""

    app: str = Field(description="The app's slug.", examples=["live"])
    app_name: str = Field(description="The app's name.", examples=["Live"])
    room: str = Field(description="Short name.", examples=["demo"])
    live: bool = Field(description="Whether LiveKit has the room now.", examples=[True])
    participants: int = Field(description="Participants in it now.", examples=[2])
    role: RoomRole = Field(description="The role that the user has there.", examples=["speaker"])


@router.get("/rooms", summary="List the rooms that the user may join", responses=documented(401, 403, 404, 503))
async def list_own_rooms(services: ServicesDep, caller: RoomsJoin) -> Page[OwnRoomBody]:
    """Those of the user's organisations, the live ones first; 200 at the most. Only a user may call."""
    if caller.kind not in {"session", "token"}:
        raise Forbidden("Only users have rooms that they join as themselves.", code="user_required")
    found = await services.database.read(lambda tx: _joinable(tx, caller))
    return Page(data=found, page=PageInfo(next=None))


def _joinable(tx: Transaction, caller: Principal) -> list[OwnRoomBody]:
    found: list[OwnRoomBody] = []
    for live in (True, False):
        for membership in people_store.memberships_of(tx, caller.key_id):
            if caller.kind == "token" and caller.organisation_id not in {None, membership.organisation_id}:
                continue  # a token stays where it acts
            for app in apps_of_organisation(tx, membership.organisation_id):
                for room, session in store.list_rooms(tx, app.id, live=live, after=None, limit=MOST):
                    if len(found) == MOST:
                        return found
                    try:
                        role = role_of(tx, app, room.livekit_room, caller.key_id)
                    except Forbidden:
                        continue
                    found.append(
                        OwnRoomBody(
                            app=app.slug,
                            app_name=app.name,
                            room=room.name,
                            live=live,
                            participants=session.active_participants if session else 0,
                            role=role,
                        )
                    )
    return found
