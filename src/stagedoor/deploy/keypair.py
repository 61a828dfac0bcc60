"""LiveKit's API key and secret for a deployment: those that are there already, or new ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from stagedoor.settings.installation import Settings


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key and its secret."""

    key: str
    secret: str = field(repr=False)


def find_or_make(settings: Settings, environment: Mapping[str, str], livekit_config: Path | None) -> KeyPair:
    """The pair of the files that an earlier run wrote, else of the settings, else a new one."""
    if environment.get("LIVEKIT_API_KEY") and environment.get("LIVEKIT_API_SECRET"):
        return KeyPair(environment["LIVEKIT_API_KEY"], environment["LIVEKIT_API_SECRET"])
    if livekit_config is not None and livekit_config.is_file():
        found = _from_livekit(livekit_config)
        if found is not None:
            return found
    if settings.livekit_api_key and settings.livekit_api_secret:
        return KeyPair(settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
    return KeyPair(f"API{secrets.token_hex(6)}", secrets.token_urlsafe(36))


def _from_livekit(file: Path) -> KeyPair | None:
    document: Any = yaml.safe_load(file.read_text("utf-8"))
    keys: Any = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, dict) or not keys:
        return None
    key, secret = next(iter(cast("dict[str, Any]", keys).items()))
    return KeyPair(str(key), str(secret))
