"""Where a LiveKit is, and our key for it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A LiveKit server and the API key for it.

    Attributes:
        url: Where Stagedoor reaches it (http, https, ws or wss).
        client_url: Where browsers reach it (ws or wss).
    """

    url: str
    client_url: str
    api_key: str
    api_secret: str

    @property
    def signal_url(self) -> str:
        """Where Stagedoor's own participants reach it (ws or wss)."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(scheme={"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)))


def http_url(url: str) -> str:
    """The URL for requests: LiveKit answers HTTP and WebSockets at one address."""
    return url.replace("ws", "http", 1) if url.startswith("ws") else url
