"""The participant that a user is in a room: its identity, and the attributes by which Stagedoor knows it again."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Final

from stagedoor.access.identities import OWN_ATTRIBUTE
from stagedoor.access.room_roles import RoomRole
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.people.nouns import User

USER_ATTRIBUTE: Final = f"{OWN_ATTRIBUTE}user"
ROLE_ATTRIBUTE: Final = f"{OWN_ATTRIBUTE}role"
PICTURE_ATTRIBUTE: Final = f"{OWN_ATTRIBUTE}picture"
DEVICE_ATTRIBUTE: Final = f"{OWN_ATTRIBUTE}device"

_IDENTITY: Final = re.compile(r"(usr_[0-9A-Z]{26})(:[0-9a-f]{8})?")


def user_of(identity: str) -> str | None:
    """The id of the user whom an identity means, whichever the device; `None` when it has not the form of one.

    Backends may call their own participants so: `USER_ATTRIBUTE`, which only Stagedoor's tokens have, says which are.
    """
    found = _IDENTITY.fullmatch(identity)
    return None if found is None else found[1]


def identity_for(user: User, device: str | None, present: Iterable[ParticipantSnapshot]) -> tuple[str, str]:
    """The identity for one more device of the user, and the mark of the device.

    The same device gets the same identity, so that one who comes back replaces the old self.

    Args:
        user: Who joins.
        device: A text that the device made up; without one it is a new device each time.
        present: Who is in the room.
    """
    mark = hashlib.sha256(f"{user.id}\n{device or secrets.token_hex(16)}".encode("utf-8", "replace")).hexdigest()[:8]
    taken = {one.identity: one.attributes.get(DEVICE_ATTRIBUTE) for one in present}
    if taken.get(user.id, mark) == mark:
        return user.id, mark
    return f"{user.id}:{mark}", mark


def attributes_for(user: User, role: RoomRole, mark: str) -> dict[str, str]:
    """What the participant says of the user. Its holder cannot change them: no role may update its own metadata."""
    picture = {} if user.picture is None else {PICTURE_ATTRIBUTE: user.picture}
    return {USER_ATTRIBUTE: user.id, ROLE_ATTRIBUTE: role, DEVICE_ATTRIBUTE: mark, **picture}
