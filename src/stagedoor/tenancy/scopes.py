"""What a caller may do. A scope says which verbs; the caller's bounds say on whose things."""

from __future__ import annotations

from typing import Final

ADMIN: Final = "admin"

SCOPES: Final[dict[str, str]] = {
    "organisations:read": "Read organisations.",
    "organisations:write": "Create, change and delete organisations.",
    "apps:read": "Read apps and their settings.",
    "apps:write": "Create, change and delete apps.",
    "keys:read": "List API keys, without their secrets.",
    "keys:write": "Create, change and revoke API keys, and list them.",
    "tokens:write": "Mint join tokens and links.",
    "rooms:read": "Read rooms, participants and tracks.",
    "rooms:write": "Create and end rooms, send data, change, mute and remove participants.",
    "rooms:join": "Join rooms as a user, with the role that the user has there; of no use to an API key.",
    "sessions:read": "Read sessions, ended ones included.",
    "sessions:write": "Announce sessions and end them.",
    "transcripts:read": "Read transcripts.",
    "transcripts:write": "Begin, stop and delete transcripts.",
    "cameras:read": "Read cameras, without their keys.",
    "cameras:write": "Create, change and delete cameras, and renew their keys.",
    "ingress:read": "Read ingresses and their state, without their keys.",
    "ingress:write": "Create, change and delete ingresses, renew their keys, and probe URLs.",
    "members:read": "Read the members of an organisation and its invitations.",
    "members:write": "Invite and remove members and give them roles, none above the caller's own.",
    "users:read": "Read the users of the installation.",
    "users:write": "Create, change and disable users, and make links that set their passwords.",
    "audit:read": "Read the audit trail.",
    "events:read": "Follow the live feed.",
    "usage:read": "Read what was used.",
    "webhooks:read": "Read outgoing webhooks and their deliveries.",
    "webhooks:write": "Create, change, test and delete outgoing webhooks, and send events again.",
    ADMIN: "Everything within the key's bounds; the inbox too when the key is the installation's.",
}
"""Every scope and what it allows."""

_IMPLIED: Final[dict[str, frozenset[str]]] = {
    "organisations:write": frozenset({"organisations:read"}),
    "apps:write": frozenset({"apps:read"}),
    "keys:write": frozenset({"keys:read"}),
    "rooms:write": frozenset({"rooms:read"}),
    "sessions:write": frozenset({"sessions:read"}),
    "transcripts:write": frozenset({"transcripts:read"}),
    "cameras:write": frozenset({"cameras:read"}),
    "ingress:write": frozenset({"ingress:read"}),
    "webhooks:write": frozenset({"webhooks:read"}),
    "users:write": frozenset({"users:read"}),
    "members:write": frozenset({"members:read"}),
}


def expand(scopes: frozenset[str]) -> frozenset[str]:
    """The scopes and all that they imply."""
    if ADMIN in scopes:
        return frozenset(SCOPES)
    return scopes.union(*(_IMPLIED.get(scope, frozenset()) for scope in scopes))
