"""Addresses: where we listen, what we are called, and where LiveKit is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from stagedoor.app.datafolder import Secrets
from stagedoor.mediaserver.config import ManagedConfig, choose_network
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.settings.installation import Settings

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_WILDCARDS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, slots=True)
class Network:
    """The installation's addresses.

    Attributes:
        public_url: Where browsers and callers reach Stagedoor.
        local_url: Where a process on this machine reaches it.
        endpoint: LiveKit and our key for it.
        managed: The configuration of a LiveKit that we run; `None` for an external one.
    """

    public_url: str
    local_url: str
    endpoint: Endpoint
    managed: ManagedConfig | None

    @property
    def same_machine(self) -> bool:
        """Whether LiveKit runs on this machine, and so by the same clock."""
        return self.managed is not None or (urlsplit(self.endpoint.url).hostname or "") in _LOOPBACK


def lay_out(settings: Settings, secrets: Secrets) -> Network:
    """Every address, from the settings."""
    bind, node_ip, loopback = choose_network(settings.http_host, settings.node_ip)
    wildcard = settings.http_host in _WILDCARDS
    local_host = "127.0.0.1" if wildcard else _bracketed(settings.http_host)
    local_url = f"http://{local_host}:{settings.http_port}"
    seen_host = _bracketed(node_ip.split(",")[0]) if wildcard else local_host
    public_url = settings.public_url or f"http://{seen_host}:{settings.http_port}"
    if settings.external:
        return Network(public_url, local_url, _external(settings), None)
    managed = ManagedConfig(
        http_port=settings.livekit_port,
        tcp_port=settings.livekit_tcp_port,
        udp_port=settings.livekit_udp_port,
        bind_addresses=bind,
        node_ip=node_ip,
        loopback=loopback,
        api_key=secrets.livekit_api_key,
        api_secret=secrets.livekit_api_secret,
        webhook_urls=(f"{local_url}/webhooks/livekit",),
        stun_servers=settings.livekit_stun_servers,
    )
    livekit_host = "127.0.0.1" if bind[0] in _WILDCARDS else _bracketed(bind[0])
    endpoint = Endpoint(
        url=f"http://{livekit_host}:{settings.livekit_port}",
        client_url=_client_url(settings, public_url),
        api_key=secrets.livekit_api_key,
        api_secret=secrets.livekit_api_secret,
    )
    return Network(public_url, local_url, endpoint, managed)


def _client_url(settings: Settings, public_url: str) -> str:
    if settings.livekit_public_url:
        return _websocket(settings.livekit_public_url)
    services = urlsplit(public_url)
    if services.scheme in {"https", "wss"}:
        # A page served over TLS may only open wss; LiveKit itself speaks no TLS, so the proxy before us is before it.
        return f"wss://{services.netloc}"
    return f"ws://{_bracketed(services.hostname or '127.0.0.1')}:{settings.livekit_port}"


def _external(settings: Settings) -> Endpoint:
    url = settings.livekit_api_host or settings.livekit_url or ""
    client = settings.livekit_public_url or settings.livekit_url or url
    secret = settings.livekit_api_secret
    return Endpoint(
        url=url,
        client_url=_websocket(client),
        api_key=settings.livekit_api_key or "",
        api_secret=secret.get_secret_value() if secret else "",
    )


def _websocket(url: str) -> str:
    return url.replace("http", "ws", 1) if url.startswith("http") else url


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
