"""Roles in a room, and what each may do there: the one table that routes, tokens, pages and the documentation ask."""

from __future__ import annotations

from typing import Final, Literal, get_args

from stagedoor.mediaserver.snapshots import Permissions
from stagedoor.people.nouns import Role
from stagedoor.rooms.nouns import Plan

RoomRole = Literal["host", "cohost", "speaker", "listener"]
ROOM_ROLES: Final[tuple[RoomRole, ...]] = get_args(RoomRole)
"""From the one that may do most to the one that may do least."""

RoomAction = Literal["watch", "chat", "speak", "show", "share", "mute", "remove", "promote", "admit", "end"]

ROOM_ACTIONS: Final[dict[RoomAction, str]] = {
    "watch": "See and hear the others (`canSubscribe`).",
    "chat": "Send chat and data (`canPublishData`).",
    "speak": "Publish a microphone (`canPublishSources`).",
    "show": "Publish a camera (`canPublishSources`).",
    "share": "Publish a screen and its sound (`canPublishSources`).",
    "mute": "Mute the tracks of others.",
    "remove": "Remove others, and ban them.",
    "promote": "Give others a role in the room, and change their participant.",
    "admit": "Decide who may join the room.",
    "end": "End the room for all.",
}
"""Every action and what it allows. The first five become LiveKit's grants, the others are routes."""

_LISTENER: Final[frozenset[RoomAction]] = frozenset({"watch", "chat"})
_SPEAKER: Final[frozenset[RoomAction]] = _LISTENER.union(("speak", "show", "share"))
_COHOST: Final[frozenset[RoomAction]] = _SPEAKER.union(("mute", "remove"))

ROLE_ACTIONS: Final[dict[RoomRole, frozenset[RoomAction]]] = {
    "host": frozenset(ROOM_ACTIONS),
    "cohost": _COHOST,
    "speaker": _SPEAKER,
    "listener": _LISTENER,
}
"""What a role may do. No role has LiveKit's `roomAdmin`: it would outlive a change of role, for it cannot be taken from
a token, and its holder could change participants past the API, and so past these roles and the audit trail."""

DEFAULT_ROLES: Final[dict[Role, RoomRole]] = {
    "owner": "host",
    "admin": "host",
    "member": "speaker",
    "viewer": "listener",
}
"""The role in every room of a user with this role in the organisation, where the room has none for the user."""

_SOURCES: Final[dict[RoomAction, tuple[str, ...]]] = {
    "show": ("camera",),
    "speak": ("microphone",),
    "share": ("screen_share", "screen_share_audio"),
}
_SOUND: Final = frozenset({"microphone", "screen_share_audio"})


def permissions_in(role: RoomRole, plan: Plan | None = None) -> Permissions:
    """What LiveKit lets a participant of the role do; less in the room of an announced voice session."""
    actions = ROLE_ACTIONS[role]
    sources = tuple(source for action, found in _SOURCES.items() if action in actions for source in found)
    if plan is not None and plan.kind == "voice":
        sources = tuple(source for source in sources if source in _SOUND)
    return Permissions(
        can_subscribe="watch" in actions,
        can_publish=bool(sources),
        can_publish_data="chat" in actions,
        can_publish_sources=sources,
    )


def same_permissions(one: Permissions | None, other: Permissions) -> bool:
    """Whether two permissions allow the same. LiveKit lists sources in an order of its own."""
    return one is not None and _compared(one) == _compared(other)


def _compared(permissions: Permissions) -> tuple[object, ...]:
    return (
        permissions.can_subscribe,
        permissions.can_publish,
        permissions.can_publish_data,
        frozenset(permissions.can_publish_sources) if permissions.can_publish else frozenset[str](),
        permissions.can_update_metadata,
        permissions.hidden,
    )
