"""Rooms, participants and tracks as LiveKit reports them, by webhook or by list.

Times are milliseconds since the epoch; `None` means that LiveKit did not report one. LiveKit gives milliseconds for a
room's creation (`creationTimeMs`) and a participant's joining (`joinedAtMs`), and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.texts import storable

LONGEST_SID: Final = 64
LONGEST_WORD: Final = 64
LONGEST_TEXT: Final = 4_096
LONGEST_METADATA: Final = 1_048_576

OWN_IDENTITY: Final = "stagedoor:"
"""The prefix of the identities of Stagedoor's own participants. No other client gets a token for one, and they are not
counted: they are not participants of a call."""

SOURCE_ATTRIBUTE: Final = "stagedoor.source"
"""The participant attribute that names the protocol by which Stagedoor brought a participant's media in."""

CAMERA: Final = "camera"
"""The source of a camera that pushes JPEGs; any other is an ingress."""


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text of LiveKit's that every database takes: see `storable`, and columns have a width.

    LiveKit's own texts never need this; a holder of a webhook key may send anything.
    """
    if len(text) <= longest and text.isascii() and "\x00" not in text:
        return text  # nearly all of them, ten in each event
    return storable(text)[:longest]


_EARLIEST_MS: Final = 946_684_800_000
"""The year 2000. What is before it comes from a clock that was never set, or from an attacker."""

_AHEAD_MS: Final = 86_400_000


def plausible(at: int) -> int | None:
    """A time of LiveKit's in milliseconds since the epoch; `None`, as if it were absent, where it cannot be true.

    Times bound loops and are stored as 64-bit numbers, and a holder of a webhook key may send any number.
    """
    return at if _EARLIEST_MS <= at <= now_ms() + _AHEAD_MS else None


@dataclass(frozen=True, slots=True)
class TrackSnapshot:
    """A published track. `kind` and `source` are LiveKit's names in lower case."""

    sid: str
    kind: str
    source: str
    mime_type: str
    muted: bool = False
    name: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Permissions:
    """What LiveKit lets a participant do."""

    can_subscribe: bool = True
    can_publish: bool = True
    can_publish_data: bool = True
    can_publish_sources: tuple[str, ...] = ()
    can_update_metadata: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ParticipantSnapshot:
    """A participant. `kind` and `state` are LiveKit's names in lower case."""

    sid: str
    identity: str
    name: str = ""
    kind: str = "standard"
    state: str = "joining"
    joined_at: int | None = None
    reason: str | None = None
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    permissions: Permissions | None = None
    tracks: tuple[TrackSnapshot, ...] = ()


def source_of(participant: ParticipantSnapshot) -> str | None:
    """The source that Stagedoor's token gave the participant; `None` without one.

    A participant that may update its own metadata can set any attribute itself, so it is not believed: Stagedoor's own
    participants have no such permission, and no caller of the API may set an attribute of this name.
    """
    permissions = participant.permissions
    if permissions is None or permissions.can_update_metadata:
        return None
    return participant.attributes.get(SOURCE_ATTRIBUTE)


def with_kind(participant: ParticipantSnapshot) -> ParticipantSnapshot:
    """The participant, with the kind `ingress` when Stagedoor's own ingress publishes as it."""
    if participant.kind != "standard" or source_of(participant) in {None, CAMERA}:
        return participant
    return replace(participant, kind="ingress")


@dataclass(frozen=True, slots=True)
class RoomSnapshot:
    """A room. `sid` is empty where LiveKit leaves it out, as it does for ingress events."""

    sid: str
    name: str
    created_at: int | None = None
    metadata: str = ""
    num_participants: int = 0
    max_participants: int = 0
    empty_timeout: int = 0
    departure_timeout: int = 0


@dataclass(frozen=True, slots=True)
class ServerState:
    """All that LiveKit listed in one pass; `taken_at` is when the first question was asked."""

    taken_at: int
    rooms: tuple[tuple[RoomSnapshot, tuple[ParticipantSnapshot, ...]], ...]
