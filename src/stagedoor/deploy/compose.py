"""The files for Docker Compose: the services, and one file with every secret and address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stagedoor import __version__
from stagedoor.deploy import envfile
from stagedoor.deploy.keypair import find_or_make
from stagedoor.deploy.rendering import fill
from stagedoor.deploy.writing import DeployFile
from stagedoor.mediaserver.network import primary_address
from stagedoor.mediaserver.release import PINNED_VERSION
from stagedoor.settings.installation import Settings

ENVIRONMENT: Final = ".env"
COMPOSE: Final = "compose.yaml"
_LOOPBACK: Final = "127.0.0.1,::1"
_DOCKER: Final = "172.16.0.0/12,192.168.0.0/16"
"""Out of which Docker takes the networks that it makes."""


@dataclass(frozen=True, slots=True)
class ComposePlan:
    """What was asked for.

    Attributes:
        settings: The settings, flags included.
        folder: Where the files go, and where those of an earlier run are.
        postgres: With PostgreSQL instead of SQLite.
        redis: With Redis for LiveKit, which several LiveKits, egress and ingress need.
        image: Stagedoor's image.
    """

    settings: Settings
    folder: Path
    postgres: bool
    redis: bool
    image: str = f"stagedoor:{__version__}"


def compose_files(plan: ComposePlan) -> list[DeployFile]:
    """The services, and the file with every secret and address."""
    values = _environment(plan)
    head = "Read by Docker Compose. LIVEKIT_NODE_IP is this machine's address as clients reach it for media."
    text = envfile.document(head, values)
    return [_services(plan), DeployFile(ENVIRONMENT, text, secret=True, variables=values)]


def _services(plan: ComposePlan) -> DeployFile:
    """The services; the same for the same plan."""
    parts = {
        name
        for name, wanted in (
            ("postgres", plan.postgres),
            ("redis", plan.redis),
            ("back", plan.postgres or plan.redis),
        )
        if wanted
    }
    values = {
        "livekit_version": PINNED_VERSION,
        "stagedoor_networks": "front, back" if plan.postgres else "front",
        "livekit_networks": "front, back" if plan.redis else "front",
    }
    return DeployFile(COMPOSE, fill("compose.yaml", values, parts))


def _environment(plan: ComposePlan) -> dict[str, str]:
    """The variables that the services ask for; those of an earlier run stay as they are."""
    found = envfile.read(plan.folder / ENVIRONMENT)
    settings = plan.settings
    pair = find_or_make(settings, found, None)
    node_ip = settings.node_ip or primary_address() or "127.0.0.1"
    public = settings.public_url or f"http://{node_ip}:{settings.http_port}"
    # With TLS before it, HTTP is for the proxy on this machine; without, for every client.
    host = "127.0.0.1" if urlsplit(public).scheme == "https" else "0.0.0.0"  # noqa: S104 - published on purpose
    # The proxy's connections come from Docker's bridge. Published for every client, those of clients may as well.
    proxies = f"{_LOOPBACK},{_DOCKER}" if host == "127.0.0.1" else _LOOPBACK
    wanted = {
        "STAGEDOOR_IMAGE": plan.image,
        "STAGEDOOR_BIND": f"{host}:{settings.http_port}",
        "STAGEDOOR_PUBLIC_URL": public,
        "STAGEDOOR_TRUSTED_PROXIES": proxies,
        "STAGEDOOR_LIVEKIT_PUBLIC_URL": settings.livekit_public_url or _livekit_url(public, settings.livekit_port),
        "LIVEKIT_API_KEY": pair.key,
        "LIVEKIT_API_SECRET": pair.secret,
        "LIVEKIT_BIND": f"{host}:{settings.livekit_port}",
        "LIVEKIT_TCP_PORT": str(settings.livekit_tcp_port or 7881),
        "LIVEKIT_UDP_PORT": str(settings.livekit_udp_port),
        "LIVEKIT_NODE_IP": node_ip,
    }
    if plan.postgres:
        wanted["POSTGRES_PASSWORD"] = secrets.token_urlsafe(24)
    if plan.redis:
        wanted["REDIS_PASSWORD"] = secrets.token_urlsafe(24)
    return {name: found.get(name, value) for name, value in wanted.items()}


def _livekit_url(public: str, livekit_port: int) -> str:
    parts = urlsplit(public)
    if parts.scheme == "https":
        return f"wss://{parts.netloc}"
    host = parts.hostname or "127.0.0.1"
    return f"ws://{f'[{host}]' if ':' in host else host}:{livekit_port}"
