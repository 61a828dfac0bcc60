"""LiveKit's webhooks, which come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from stagedoor.kernel.settings import InstallationSettings, former_name, pairs

_OWN_PATHS: Final = frozenset(
    {"api", "assets", "embed", "health", "ingest", "live", "meet", "metrics", "play", "publish", "ready", "whip"}
)


class InboxSettings(InstallationSettings):
    """LiveKit's webhooks, which come in."""

    livekit_webhook_path: str = Field(
        validation_alias=former_name("livekit_webhook_path", "webhook_path"),
        default="/voice/livekit/webhooks",
        description="Second path of LiveKit's webhook; /webhooks/livekit always answers too.",
    )
    livekit_webhook_max_bytes: Annotated[int, Field(ge=1024)] = Field(
        validation_alias=former_name("livekit_webhook_max_bytes", "webhook_max_bytes"),
        default=2_097_152,
        description="Largest webhook body that is taken, in bytes.",
    )
    livekit_webhook_extra_keys: Annotated[Mapping[str, SecretStr], BeforeValidator(pairs)] = Field(
        validation_alias=former_name("livekit_webhook_extra_keys", "webhook_extra_keys"),
        default_factory=dict,
        description="Further LiveKit keys whose webhooks are accepted (key:secret,…), for key rotation.",
    )
    livekit_webhook_hmac_enabled: bool = Field(
        validation_alias=former_name("livekit_webhook_hmac_enabled", "webhook_hmac_enabled"),
        default=False,
        description="Accept X-LiveKit-Signature (hex HMAC-SHA256 of the body) as well as LiveKit's own signature.",
    )

    @field_validator("livekit_webhook_path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        first = value.split("/")[1] if value.startswith("/") else ""
        if not first or first in _OWN_PATHS or "{" in value or "?" in value:
            raise ValueError("write it as a path such as /voice/livekit/webhooks, outside /api and the pages")
        return value
