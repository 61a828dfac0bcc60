"""Where people put the stream key: its field, the server's address, a query, or user and password."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

MOST_CANDIDATES: Final = 8
LONGEST_CANDIDATE: Final = 512

_QUERY_NAMES: Final = {"key", "streamkey", "stream_key", "token", "secret", "password", "pass", "user", "username"}


def key_candidates(app: str, url: str, stream_name: str) -> tuple[str, ...]:
    """What may be the stream key, the likeliest first.

    Args:
        app: The app that the encoder connected to.
        url: Its `tcUrl`.
        stream_name: The name that it publishes.
    """
    name, name_query = _split(stream_name)
    path, app_query = _split(app)
    found = [name, name.rpartition("/")[2], path.rpartition("/")[2]]
    found += _from_query(name_query) + _from_query(app_query)
    found += _from_credentials(url)
    usable = (candidate for candidate in found if 0 < len(candidate) <= LONGEST_CANDIDATE)
    return tuple(dict.fromkeys(usable))[:MOST_CANDIDATES]


def _split(text: str) -> tuple[str, str]:
    """A path without spaces and slashes around it, and its query."""
    path, _, query = unquote(text).strip().partition("?")
    return path.strip("/ \t\r\n\0"), query


def _from_query(query: str) -> list[str]:
    try:
        pairs = parse_qsl(query, max_num_fields=20)
    except ValueError:
        return []
    return [value.strip() for name, value in pairs if name.lower() in _QUERY_NAMES]


def _from_credentials(url: str) -> list[str]:
    try:
        authority = urlsplit(url).netloc
    except ValueError:
        return []
    credentials, at, _ = authority.rpartition("@")
    if not at:
        return []
    user, _, password = credentials.partition(":")
    return [unquote(password).strip(), unquote(user).strip()]
