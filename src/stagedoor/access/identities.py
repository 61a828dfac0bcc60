"""Which identities and names are given out: the one rule for tokens, announced sessions, pages and cameras."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from stagedoor.kernel.errors import Invalid
from stagedoor.kernel.texts import SHOWS_NOTHING, shows_nothing
from stagedoor.mediaserver.snapshots import OWN_IDENTITY

OWN_ATTRIBUTE: Final = "stagedoor."
"""How the names of the attributes begin that Stagedoor sets itself."""

LONGEST_IDENTITY: Final = 256
"""Bytes of UTF-8. LiveKit counts bytes, and refuses who has more (`limit.max_participant_identity_length`)."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""The controls C0 and C1, and both separators: they break the line of a log or a table that an identity stands in."""


def check_identity(identity: str, field: str = "identity") -> None:
    """Raise unless a participant can join, be seen and be addressed under the identity.

    Args:
        identity: What was asked for.
        field: Where, for the sentence that the caller reads.

    Raises:
        Invalid: It is Stagedoor's own, too long for LiveKit, shows nothing, has control characters, or has no place in
            a URL's path.
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
        raise Invalid(f"{field}: {SHOWS_NOTHING}.", code="identity_blank")
    control = _CONTROL.search(identity)
    if control is not None:
        raise Invalid(
            f"{field}: it has the control character U+{ord(control[0]):04X}; leave it out.", code="identity_controls"
        )
    if identity in {".", ".."}:
        # URL parsers take these out of a path (RFC 3986 §5.2.4), so that no usual client could name the participant.
        raise Invalid(f"{field}: . and .. cannot stand in a URL's path.", code="identity_unaddressable")


def check_attribute_names(names: Iterable[str], field: str = "attributes") -> None:
    """Raise unless a caller may set attributes of these names.

    Raises:
        Invalid: One of them is Stagedoor's own.
    """
    for name in names:
        if name.startswith(OWN_ATTRIBUTE):
            raise Invalid(
                f"{field}: names that begin with {OWN_ATTRIBUTE} are Stagedoor's own.", code="attribute_reserved"
            )


def check_name(name: str | None, field: str = "name") -> None:
    """Raise unless others can see the name. An empty one is the same as none: LiveKit's clients show the identity.

    Raises:
        Invalid: The name has characters, and shows nothing.
    """
    if name and shows_nothing(name):
        raise Invalid(f"{field}: {SHOWS_NOTHING}.", code="name_blank")
