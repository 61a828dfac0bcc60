"""The headers of WHIP: who may read the answers from a page, and the entity tags of ICE sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from stagedoor.kernel.errors import BadRequest
from stagedoor.sources.whip.conditions import ABSENT, IfMatch

CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""A page of any origin may publish: the stream key decides, and no cookie is looked at. Every answer has them."""

PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "OPTIONS, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
}

_ANY: Final = frozenset({"*", '"*"'})
"""The second is what some encoders make of the first."""
_TAG: Final = re.compile(r'\s*(?:(W/)?"([^"]*)"|([^\s,"]+))\s*(?:,|$)')


def quoted(etag: str) -> str:
    """An entity tag as RFC 9110 has it."""
    return f'"{etag}"'


def if_match(fields: Sequence[str]) -> IfMatch:
    """What the `If-Match` fields of a request say (RFC 9110, section 13.1.1).

    A tag without quotation marks, as some encoders send it, is taken for one with them. A weak one matches nothing, and
    is left out.

    Raises:
        BadRequest: It is no list of entity tags.
    """
    value = ", ".join(fields).strip()
    if not value:
        return ABSENT
    if value in _ANY:
        return IfMatch(anything=True)
    tags: set[str] = set()
    at = 0
    while at < len(value):
        found = _TAG.match(value, at)
        if found is None:
            raise BadRequest('Write If-Match as "tag", as a list of such, or as *.', code="bad_if_match")
        weak, strong, bare = found.groups()
        if weak is None:
            tags.add(bare if strong is None else strong)
        at = found.end()
    return IfMatch(tags=frozenset(tags))
