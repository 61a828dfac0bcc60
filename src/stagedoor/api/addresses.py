"""The addresses of pages, as they are given to callers."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from stagedoor.api.services import Services
from stagedoor.playback.links import Use
from stagedoor.tenancy.nouns import App

PageKind = Literal["play", "embed", "meet"]


def page_path(kind: PageKind, app: App, livekit_room: str) -> str:
    """`/play/live/live-demo`."""
    return f"/{kind}/{app.slug}/{quote(livekit_room, safe='')}"


def page_url(parts: Services, kind: PageKind, app: App, livekit_room: str, ttl: int) -> str:
    """A page's URL that works as it is: signed for `ttl` seconds where the app asks for that."""
    return parts.public_url + page_path(kind, app, livekit_room) + _query(parts, kind, app, livekit_room, ttl)


def watching_urls(parts: Services, app: App, livekit_room: str, ttl: int) -> tuple[str, str]:
    """The URLs of the play and the embed page, which one signature opens."""
    query = _query(parts, "play", app, livekit_room, ttl)
    play, embed = (parts.public_url + page_path(kind, app, livekit_room) for kind in ("play", "embed"))
    return play + query, embed + query


def _query(parts: Services, kind: PageKind, app: App, livekit_room: str, ttl: int) -> str:
    if kind != "meet" and app.settings.playback_policy == "public":
        return ""
    use: Use = "meet" if kind == "meet" else "play"
    return f"?token={parts.signer.sign(use, livekit_room, ttl)}"
