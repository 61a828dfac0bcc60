"""Which identities are given out: the one rule for tokens, announced sessions and cameras."""

from __future__ import annotations

from typing import Final

from stagedoor.kernel.errors import Invalid
from stagedoor.kernel.texts import shows_nothing
from stagedoor.mediaserver.snapshots import OWN_IDENTITY

LONGEST_IDENTITY: Final = 256
"""Bytes of UTF-8. LiveKit counts bytes, and refuses who has more (`limit.max_participant_identity_length`)."""


def check_identity(identity: str, field: str = "identity") -> None:
    """Raise unless a participant can join, be seen and be addressed under the identity.

    Args:
        identity: What was asked for.
        field: Where, for the sentence that the caller reads.

    Raises:
        Invalid: It is Stagedoor's own, too long for LiveKit, shows nothing, or has no place in a URL's path.
    """
    if identity.startswith(OWN_IDENTITY):
        raise Invalid(
            f"{field}: identities that begin with {OWN_IDENTITY} are Stagedoor's own.", code="identity_reserved"
        )
    size = len(identity.encode("utf-8", "surrogatepass"))
    if size > LONGEST_IDENTITY:
        raise Invalid(
            f"{field}: it has {size} bytes in UTF-8; LiveKit takes {LONGEST_IDENTITY} bytes at the most.",
            code="identity_too_long",
            extra={"limit": LONGEST_IDENTITY},
        )
    if shows_nothing(identity):
        raise Invalid(f"{field}: it shows nothing; give it a letter, a digit or a sign.", code="identity_blank")
    if identity in {".", ".."}:
        # URL parsers take these out of a path (RFC 3986 §5.2.4), so that no usual client could name the participant.
        raise Invalid(f"{field}: . and .. cannot stand in a URL's path.", code="identity_unaddressable")
