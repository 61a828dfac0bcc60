"""The one policy for every way out: who may watch a room, and who may take part through a page."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from stagedoor.access.grants import JoinRequest
from stagedoor.access.links import LinkSigner, Use, refusal
from stagedoor.access.settings import PlaybackSettings
from stagedoor.kernel.errors import Invalid
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import livekit_name
from stagedoor.tenancy.token_settings import TokenSettings

if TYPE_CHECKING:
    from livekit.api import TokenVerifier

PAGE_TOKEN_TTL: Final = 600
"""Seconds that a page's join token lives. LiveKit renews it while the page is connected."""


_PERMITTED: Final[dict[Use, tuple[Use, ...]]] = {"play": ("play",), "meet": ("meet", "play"), "publish": ("publish",)}
"""What the holder of a link may do: who may take part may watch too, and no link allows more than it names."""

_IDENTITIES: Final[dict[Use, str]] = {"play": "viewer", "meet": "guest", "publish": "publisher"}


@dataclass(frozen=True, slots=True)
class Admission:
    """The holder may come in.

    Attributes:
        join_token: A LiveKit join token that was in the link itself, to be used as it is.
        identity: Whom that token names.
        ends_by: When the link, token or key ends that admitted the holder, in milliseconds since the epoch; `None` when
            the app is public or the key has no end. What the holder is given ends then too.
    """

    app: App
    livekit_room: str
    use: Use
    join_token: str | None = None
    identity: str | None = None
    can_publish: bool = False
    ends_by: int | None = None


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
        """Admit the holder of `token` to the room, to watch (`play`), to take part (`meet`) or to send (`publish`).

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

    def admit_key(self, app: App, reference: str, ends_by: int | None) -> Admission:
        """Admit a caller whose API key may read the app's rooms until `ends_by`, to watch the room.

        Raises:
            NotFound: There is no room of that name.
        """
        try:
            return Admission(app, livekit_name(app.slug, reference), "play", ends_by=ends_by)
        except Invalid:
            raise refusal() from None

    @cached_property
    def _verifier(self) -> TokenVerifier:
        from livekit.api import TokenVerifier  # not at the start, which it would make a tenth longer

        return TokenVerifier(self._endpoint.api_key, self._endpoint.api_secret)

    def _by_token(self, app: App, room: str, use: Use, token: str) -> Admission | None:
        link = self._signer.read(token)
        if link is not None:
            fits = link.livekit_room == room and use in _PERMITTED[link.use]
            return Admission(app, room, use, can_publish=use != "play", ends_by=link.expires_at) if fits else None
        try:
            claims = self._verifier.verify(token)
        except Exception:  # noqa: BLE001 - the library lets several of PyJWT's errors through, and all mean no
            return None
        video = claims.video
        if video is None or not video.room_join or video.room != room:
            return None
        if (use == "play" and not video.can_subscribe) or (use == "publish" and not video.can_publish):
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
    visitor_key = f"{admission.livekit_room}\n{visitor or secrets.token_hex(16)}"
    mark = hashlib.sha256(visitor_key.encode("utf-8", "replace")).hexdigest()[:16]
    return JoinRequest(
        room=admission.livekit_room,
        identity=f"{_IDENTITIES[admission.use]}-{mark}",
        name=name,
        can_publish=admission.use != "play",
        can_subscribe=admission.use != "publish",
        can_publish_data=admission.use == "meet",
        ttl=min(PAGE_TOKEN_TTL, admission.app.settings.of(TokenSettings).max_token_ttl),
        # Each of a thousand viewers would otherwise be announced to all participants of the room.
        hidden=admission.use == "play",
    )
