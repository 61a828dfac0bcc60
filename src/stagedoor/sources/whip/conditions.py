"""Which ICE session a PATCH is for (RFC 9725, section 4.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import Invalid, PreconditionFailed, PreconditionRequired


@dataclass(frozen=True, slots=True)
class IfMatch:
    """What `If-Match` says; nothing of it is what a request without one says.

    Attributes:
        anything: It is `*`.
        tags: The entity tags that it lists; `None` without a list.
    """

    anything: bool = False
    tags: frozenset[str] | None = None


ABSENT: Final = IfMatch()


def restarts(condition: IfMatch, *, etag: str, same_credentials: bool) -> bool:
    """Whether a PATCH restarts ICE; false when it adds candidates.

    The RFC lets a server refuse candidates without `If-Match`. Their ICE user name fragment says as well which ICE
    session they are of, so encoders that keep no entity tag may add them without one, or with `*`.

    Args:
        condition: What the encoder sent.
        etag: The id of the ICE session now.
        same_credentials: Whether the fragment has the ICE credentials that the session has now.

    Raises:
        PreconditionFailed: The ICE session is another one by now.
        PreconditionRequired: There is no `If-Match`, and the credentials are others.
        Invalid: It is for the ICE session of now, and the credentials are others.
    """
    if condition.tags is not None and etag not in condition.tags:
        raise PreconditionFailed("The ICE session is another one by now.", code="other_ice_session")
    if same_credentials:
        return False
    if condition.tags is not None:
        raise Invalid(
            "The fragment has other ICE credentials than this ICE session; send If-Match: * to restart ICE.",
            code="other_ice_credentials",
        )
    if not condition.anything:
        raise PreconditionRequired(
            "The fragment has other ICE credentials than the session; send If-Match: * to restart ICE.",
            code="if_match_missing",
        )
    return True
