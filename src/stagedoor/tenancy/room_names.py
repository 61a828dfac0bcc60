"""The one pair of functions that maps a room's short name to its LiveKit name and back.

App `live` and room `demo` are LiveKit's room `live-demo`. An app's slug has no hyphen, so the first hyphen of a LiveKit
name ends the slug; and no short name begins with `<app>-`, so a reference that does is always the LiveKit name.
"""

from __future__ import annotations

import re
from typing import Final

from stagedoor.kernel.errors import Invalid

SHORT_NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
"""What a new room may be called."""

_SHORT_NAME = re.compile(SHORT_NAME_PATTERN)
# LiveKit itself lets a room be called anything, so what it announces is taken more widely.
_ADOPTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def livekit_name(app: str, reference: str) -> str:
    """The LiveKit name of the room that `reference`, a short or a LiveKit name, means in the app with slug `app`.

    Raises:
        Invalid: No room can have this name.
    """
    prefix = f"{app}-"
    name = reference if reference.startswith(prefix) else prefix + reference
    if split(name) is None:
        raise Invalid(
            "A room's name has 1 to 200 characters, none of them a control character, and does not begin with the app's"
            " name twice.",
            code="bad_room_name",
        )
    return name


def new_livekit_name(app: str, reference: str) -> str:
    """As `livekit_name`, for a room that may be new: it holds the narrower rule for names that we give.

    Raises:
        Invalid: A new room cannot have this name.
    """
    short = reference.removeprefix(f"{app}-")
    if not _SHORT_NAME.fullmatch(short) or short.startswith(f"{app}-"):
        raise Invalid(
            "A room's name has letters, digits and . _ ~ - only, begins with a letter or digit, has 128 characters"
            " at the most and does not begin with the app's name twice.",
            code="bad_room_name",
        )
    return f"{app}-{short}"


def reference_is_like(app: str, reference: str | None, beginning: str) -> bool:
    """Whether the short name that a reference, if any, means begins so."""
    return reference is not None and reference.removeprefix(f"{app}-").startswith(beginning)


def split(name: str) -> tuple[str, str] | None:
    """The app's slug and the short name in a LiveKit name; `None` when it is no app's room."""
    app, hyphen, short = name.partition("-")
    if not hyphen or not app or short.startswith(f"{app}-") or not _ADOPTABLE.fullmatch(short):
        return None
    return app, short


def short_name(name: str) -> str:
    """The short name in the LiveKit name of an app's room.

    Raises:
        ValueError: It is no app's room.
    """
    parts = split(name)
    if parts is None:
        raise ValueError("this LiveKit room is no app's")
    return parts[1]
