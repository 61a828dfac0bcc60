"""The URL that an ingress pulls: which ones are taken, and how one is shown without its credentials."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from stagedoor.kernel.errors import Invalid

SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https")
LONGEST_URL: Final = 2_048
"""Characters."""

_HIDDEN: Final = "***"


def check_url(url: str) -> None:
    """Raise unless the URL can be pulled; where it leads is looked at when it is connected to.

    Raises:
        Invalid: It is no URL, of another scheme, or names no host.
    """
    if len(url) > LONGEST_URL:
        raise Invalid(f"url: it has {len(url)} characters; {LONGEST_URL} is the most.", code="bad_url")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise Invalid("url: it has white space or control characters in it.", code="bad_url")
    parts = _split(url)
    if parts is None:
        raise Invalid(
            "url: its host or port cannot be read; write it as rtsp://camera.example.com:554/stream.", code="bad_url"
        )
    if parts.scheme.lower() not in SCHEMES:
        # camera:554/x has the scheme camera by RFC 3986; who writes it means none.
        named = parts.scheme and "://" in url
        found = f"its scheme {parts.scheme} is not one that is pulled" if named else "it has no scheme"
        raise Invalid(
            f"url: {found}; begin with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}, then ://.",
            code="unknown_scheme",
            extra={"schemes": SCHEMES},
        )
    if not parts.hostname:
        raise Invalid(f"url: it names no host; write it as {parts.scheme}://camera.example.com/stream.", code="bad_url")


def masked(url: str) -> str:
    """The URL as it is shown and logged: without user, password, and the values of its query."""
    parts = _split(url)
    if parts is None:
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    userinfo = f"{_HIDDEN}@" if "@" in parts.netloc else ""
    query = "&".join(
        f"{name}={_HIDDEN}" if equals else _HIDDEN
        for name, equals, _ in (pair.partition("=") for pair in parts.query.split("&"))
        if name or equals
    )
    return f"{parts.scheme}://{userinfo}{host}{parts.path}{'?' if query else ''}{query}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at only when it is asked for
    except ValueError:
        return None
    return parts
