"""The one policy for every way out: who may watch a room, and who may take part through a page."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from stagedoor.access.grants import JoinRequest
from stagedoor.access.links import LinkSigner, Use
from stagedoor.access.settings import PlaybackSettings
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import livekit_name
from stagedoor.tenancy.token_settings import TokenSettings

if TYPE_CHECKING:
    from livekit.api import TokenVerifier

PAGE_TOKEN_TTL: Final = 600
"""Seconds that a page's join token lives. LiveKit renews it while the page is connected."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The holder may come in.

    Attributes:
        join_token: A LiveKit join token that was in the link itself, to be used as it is.
        identity: Whom that token names.
    """

    app: App
    livekit_room: str
    use: Use
    join_token: str | None = None
    identity: str | None = None
    can_publish: bool = False


def refusal() -> NotFound:
    """One answer for all that is refused: an unknown app, an unknown room, a bad link, an expired one and a banned
    identity cannot be distinguished."""
    return NotFound("This link leads nowhere: it is wrong or has expired.", code="no_such_page")


class AdmissionControl:
    """Admits to pages and playback.

    Args:
        signer: Reads the tokens of signed links.
        endpoint: The LiveKit whose join tokens are accepted in a link as well.
    """

    def __init__(self, signer: LinkSigner, endpoint: Endpoint) -> None:
        self._signer = signer
        self._endpoint = endpoint

    def admit(self, app: App | None, reference: str, use: Use, token: str | None) -> Admission:
        """Admit the holder of `token` to the room, to watch (`play`) or to take part (`meet`).

        Raises:
            NotFound: They may not, or there is nothing here.
        """
        refused = refusal()
        if app is None:
            raise refused
        try:
            room = livekit_name(app.slug, reference)
        except Invalid:
            raise refused from None
        if use == "play" and app.settings.of(PlaybackSettings).playback_policy == "public" and not token:
            return Admission(app, room, use)
        admission = self._by_token(app, room, use, token or "")
        if admission is None:
            raise refused
        return admission

    def admit_key(self, app: App, reference: str) -> Admission:
        """Admit a caller whose API key may read the app's rooms, to watch the room.

        Raises:
            NotFound: There is no room of that name.
        """
        try:
            return Admission(app, livekit_name(app.slug, reference), "play")
        except Invalid:
            raise refusal() from None

    @cached_property
    def _verifier(self) -> TokenVerifier:
        from livekit.api import TokenVerifier  # not at the start, which it would make a tenth longer

        return TokenVerifier(self._endpoint.api_key, self._endpoint.api_secret)

    def _by_token(self, app: App, room: str, use: Use, token: str) -> Admission | None:
        link = self._signer.read(token)
        if link is not None:
            # Who may take part may watch; who may watch may not take part.
            fits = link.livekit_room == room and (link.use == use or use == "play")
            return Admission(app, room, use, can_publish=use == "meet") if fits else None
        try:
            claims = self._verifier.verify(token)
        except Exception:  # noqa: BLE001 - the library lets several of PyJWT's errors through, and all mean no
            return None
        video = claims.video
        if video is None or not video.room_join or video.room != room:
            return None
        if use == "play" and not video.can_subscribe:
            return None
        return Admission(app, room, use, token, claims.identity, bool(video.can_publish))


def page_request(admission: Admission, name: str | None, visitor: str | None) -> JoinRequest:
    """What a page that was admitted asks to join with.

    Args:
        admission: Its admission.
        name: What the person wants to be called.
        visitor: A text that the page's tab made up. The same visitor is the same identity in a room, so one who comes
            back replaces the old self, and a ban holds for as long as the tab is open.
    """
    meeting = admission.use == "meet"
    someone = f"{admission.livekit_room}\n{visitor or secrets.token_hex(16)}"
    mark = hashlib.sha256(someone.encode("utf-8", "replace")).hexdigest()[:16]
    return JoinRequest(
        room=admission.livekit_room,
        identity=f"{'guest' if meeting else 'viewer'}-{mark}",
        name=name,
        can_publish=meeting,
        can_publish_data=meeting,
        ttl=min(PAGE_TOKEN_TTL, admission.app.settings.of(TokenSettings).max_token_ttl),
        # Each of a thousand viewers would otherwise be announced to all participants of the room.
        hidden=not meeting,
    )
