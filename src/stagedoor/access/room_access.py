"""Who may join a room as a user, and with which role: the one decision, at joining and while one is there."""

from __future__ import annotations

from dataclasses import dataclass

from stagedoor.access import room_access_store
from stagedoor.access.room_access_store import RoomAccess
from stagedoor.access.room_roles import DEFAULT_ROLES, ROLE_ACTIONS, RoomAction, RoomRole, permissions_in
from stagedoor.access.settings import RoomAccessSettings
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Forbidden
from stagedoor.mediaserver.snapshots import Permissions
from stagedoor.people import store as people_store
from stagedoor.people.nouns import Role, User
from stagedoor.rooms import bans_store, plans_store
from stagedoor.storage import Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal


@dataclass(frozen=True, slots=True)
class Standing:
    """A user before a room.

    Attributes:
        user: `None` where there is none any more.
        member: The role in the organisation of the room's app; `None` of one who is no member.
        assigned: The role that the user was given in the room.
        banned_until: In milliseconds since the epoch.
    """

    user: User | None
    member: Role | None
    assigned: RoomRole | None = None
    banned_until: int | None = None


def admitted_role(standing: Standing, access: RoomAccess) -> RoomRole:
    """The role with which the user may be in the room.

    Owners and admins of the organisation, and operators of the installation, may join whatever the level.

    Raises:
        Forbidden: The user may not be there; the code says why.
    """
    user, member = standing.user, standing.member
    if user is None or user.disabled_at is not None:
        raise Forbidden("This user cannot sign in any more.", code="user_disabled")
    if standing.banned_until is not None:
        until = rfc3339(standing.banned_until)
        raise Forbidden(f"You are banned from this room until {until}.", code="banned", extra={"until": until})
    if user.operator or member in {"owner", "admin"}:
        return standing.assigned or "host"
    # E-mails are not verified, so one that is invited means a member, whom the organisation knows.
    invited = user.id in access.users or (member is not None and user.email in access.emails)
    if access.level == "organisation" and member is None:
        raise Forbidden("Only members of the organisation may join this room.", code="members_only")
    if access.level == "invited" and not invited:
        raise Forbidden("Only those who are invited to this room may join it; ask a host.", code="not_invited")
    if standing.assigned is not None:
        return standing.assigned
    if member is not None:
        return DEFAULT_ROLES[member]
    return "speaker" if invited else "listener"


def access_of(tx: Transaction, app: App, livekit_room: str) -> RoomAccess:
    """Who may join the room: what was decided for it, or else for the app."""
    found = room_access_store.find_access(tx, app.id, livekit_room)
    return found or RoomAccess(app.settings.of(RoomAccessSettings).room_access)


def standing_of(tx: Transaction, app: App, livekit_room: str, user_id: str) -> Standing:
    """The user before the room, now."""
    return Standing(
        people_store.find_user(tx, user_id),
        people_store.role_of(tx, user_id, app.organisation_id),
        room_access_store.find_role(tx, app.id, livekit_room, user_id),
        bans_store.banned_until(tx, livekit_room, user_id, now_ms()),
    )


def role_of(tx: Transaction, app: App, livekit_room: str, user_id: str) -> RoomRole:
    """The role with which the user may be in the room, now.

    Raises:
        Forbidden: The user may not be there.
    """
    return admitted_role(standing_of(tx, app, livekit_room, user_id), access_of(tx, app, livekit_room))


def permissions_of(tx: Transaction, livekit_room: str, role: RoomRole) -> Permissions:
    """What LiveKit should let a participant of the role do in the room, by the plan that it lives by."""
    planned = plans_store.newest_plan_of_room(tx, livekit_room)
    plan = None if planned is None or planned[0].state == "ended" else planned[1]
    return permissions_in(role, plan)


def require_action(tx: Transaction, caller: Principal, app: App, livekit_room: str, action: RoomAction) -> None:
    """Raise `Forbidden` unless the caller may do this in the room.

    Of an API key its scope decides alone, and of a user who is signed in this action alone, so that a host is one
    whatever the role in the organisation.
    """
    if caller.kind not in {"session", "token"}:
        return
    role = role_of(tx, app, livekit_room, caller.key_id)
    if action not in ROLE_ACTIONS[role]:
        raise Forbidden(
            f"Your role in this room, {role}, may not do this: it lacks the action {action}.",
            code="missing_room_action",
            extra={"requiredAction": action},
        )
