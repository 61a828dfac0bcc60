"""Will browsers do what the pages ask of them? Decided from the addresses they are given."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from stagedoor.app.network import Network
from stagedoor.doctor.result import CheckResult, broken, ok, warning

CHECK = "browsers"


def check(network: Network) -> CheckResult:
    """Compare the page's address with LiveKit's address as the page is given it."""
    page, livekit = urlsplit(network.public_url), urlsplit(network.endpoint.client_url)
    if page.scheme == "https" and livekit.scheme == "ws":
        return broken(
            CHECK,
            f"Browsers refuse {network.endpoint.client_url} from pages that come from {network.public_url}.",
            f"Put a TLS proxy before LiveKit and set STAGEDOOR_LIVEKIT_PUBLIC_URL=wss://{page.hostname}, or the name"
            " that the proxy has; docs/how-to/deploy.md shows one for nginx and one for Caddy.",
        )
    if _is_loopback(livekit.hostname) and not _is_loopback(page.hostname):
        return broken(
            CHECK,
            f"Browsers on other machines are given {network.endpoint.client_url}, which is their own machine.",
            "Set STAGEDOOR_LIVEKIT_PUBLIC_URL to LiveKit's address as browsers reach it.",
        )
    if page.scheme == "http" and not _is_loopback(page.hostname):
        return warning(
            CHECK,
            f"Pages come from {network.public_url}: without https, browsers give no camera or microphone to them.",
            "Put a TLS proxy before Stagedoor and set STAGEDOOR_PUBLIC_URL=https://…; watching works without.",
        )
    return ok(CHECK, f"Pages from {network.public_url} may connect to {network.endpoint.client_url}.")


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
