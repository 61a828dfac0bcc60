"""Signed links: a short token in a URL that lets its holder watch or meet in one room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound
from stagedoor.kernel.jwt import sign

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

Use = Literal["play", "meet", "publish"]
_ISSUER: Final = "stagedoor"
_KEPT: Final = 4_096
"""Links that were read last. A viewer of HLS sends the same one twice a second; to verify it was half of the answer."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link's token says.

    Attributes:
        use: `play` watches; `meet` takes part; `publish` sends camera, microphone and screen, and receives nothing.
        expires_at: Milliseconds since the epoch.
    """

    use: Use
    livekit_room: str
    expires_at: int


def refusal() -> NotFound:
    """One answer for all that is refused: an unknown app, an unknown room, a bad link, an expired one and a banned
    identity cannot be distinguished."""
    return NotFound("This link leads nowhere: it is wrong or has expired.", code="no_such_page")


class LinkSigner:
    """Makes and reads link tokens.

    Args:
        secret: The installation's secret for links.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._key: OctKey | None = None
        self._read: dict[str, Link] = {}

    def sign(self, use: Use, livekit_room: str, ttl: int) -> str:
        """A token that lives for `ttl` seconds."""
        claims = {"iss": _ISSUER, "use": use, "room": livekit_room, "exp": now_ms() // 1000 + ttl}
        return sign(claims, self._secret.encode())

    def read(self, token: str) -> Link | None:
        """The link of the token; `None` when Stagedoor did not sign it or it has expired."""
        link = self._read.get(token)
        if link is None:
            link = self._verified(token)
            if link is None:
                return None
            if len(self._read) >= _KEPT:
                del self._read[next(iter(self._read))]
            self._read[token] = link
        return link if link.expires_at > now_ms() else None

    def _verified(self, token: str) -> Link | None:
        from joserfc import jwt  # not at the start, which it would make a fifth longer
        from joserfc.jwk import OctKey

        try:
            key = self._key = self._key or OctKey.import_key(self._secret)
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=["HS256"]).claims
        except Exception:  # noqa: BLE001 - joserfc raises TypeError and more for odd headers, and all of them mean no
            return None
        use, room, expires = claims.get("use"), claims.get("room"), claims.get("exp")
        if claims.get("iss") != _ISSUER or use not in ("play", "meet", "publish") or not isinstance(room, str):
            return None
        if not isinstance(expires, int):
            return None
        return Link(use, room, expires * 1000)
