"""The settings that a running instance was started with, as far as it left traces: flags of `stagedoor up` win
over the environment, and this command was not given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml

from stagedoor.doctor.instance import Address
from stagedoor.settings.installation import Settings

_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound


def as_started(settings: Settings, address: Address | None, livekit_config: Path | None) -> Settings:
    """`settings` with the address of the running instance and the ports of its LiveKit."""
    changes: dict[str, Any] = {}
    livekit = _read(livekit_config) if livekit_config is not None else {}
    bind = livekit.get("bind_addresses") or [None]
    if address is not None and urlsplit(address.url).port != settings.http_port:
        here = urlsplit(address.url)
        host = str(bind[0]) if bind[0] in _WILDCARDS else here.hostname or settings.http_host
        changes["http"] = f"[{host}]:{here.port}" if ":" in host else f"{host}:{here.port}"
    rtc = livekit.get("rtc")
    if isinstance(rtc, dict):
        found = cast("dict[str, Any]", rtc)
        changes |= {
            "livekit_port": livekit["port"],
            "livekit_tcp_port": found["tcp_port"],
            "livekit_udp_port": found["udp_port"],
        }
        if not found["enable_loopback_candidate"]:
            changes["node_ip"] = found["node_ip"]
    return settings.model_copy(update=changes)


def _read(file: Path) -> dict[str, Any]:
    try:
        document: Any = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}
