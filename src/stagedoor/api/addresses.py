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
    url = parts.public_url + page_path(kind, app, livekit_room)
    if kind != "meet" and app.settings.playback_policy == "public":
        return url
    use: Use = "meet" if kind == "meet" else "play"
    return f"{url}?token={parts.signer.sign(use, livekit_room, ttl)}"
