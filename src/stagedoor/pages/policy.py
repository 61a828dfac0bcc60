"""The content security policy of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from stagedoor.pages.kinds import PageKind
from stagedoor.pages.settings import PageSettings
from stagedoor.tenancy.nouns import AppSettings


def content_security_policy(kind: PageKind, settings: AppSettings | None, media_url: str) -> str:
    """The header's value.

    Args:
        kind: Which page.
        settings: The app's; `None` for a page of no app.
        media_url: LiveKit's address for browsers, the only foreign one that a page may connect to.
    """
    parts = urlsplit(media_url)
    secure = parts.scheme in {"wss", "https"}
    media = f"{'wss' if secure else 'ws'}://{parts.netloc} {'https' if secure else 'http'}://{parts.netloc}"
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": f"'self' {media}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(frame_ancestors(kind, settings)),
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def frame_ancestors(kind: PageKind, settings: AppSettings | None) -> Sequence[str]:
    """Who may show the page in a frame."""
    if kind in {"account", "docs", "unavailable"} or settings is None:
        # A page that says no is framed where the page that says yes would be; it holds nothing to steal a click for.
        return ["*"] if kind == "unavailable" else ["'none'"]
    if settings.of(PageSettings).frame_ancestors is not None:
        return settings.of(PageSettings).frame_ancestors or ["'none'"]
    return ["*"] if kind == "embed" else ["'self'"]
