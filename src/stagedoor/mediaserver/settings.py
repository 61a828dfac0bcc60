"""The LiveKit server: a managed one, or another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, model_validator

from stagedoor.kernel.settings import InstallationSettings, OptionalPort, Port, Url, environment_names

EMPTY_TIMEOUT: Final = 300
"""Seconds after which a room ends that no participant has joined; LiveKit's default, on which sessions depend."""

DEPARTURE_TIMEOUT: Final = 20
"""Seconds after which a room ends when its last participant has left; LiveKit's default."""


class LiveKitSettings(InstallationSettings):
    """The LiveKit server: a managed one, or another."""

    node_ip: str | None = Field(
        default=None,
        description="IP address that the managed LiveKit announces for media; found by itself if not set.",
    )
    livekit_port: Port = Field(default=7880, description="HTTP and WebSocket port of the managed LiveKit.")
    livekit_tcp_port: OptionalPort = Field(
        default=7881, description="Port for media over TCP of the managed LiveKit; 0 turns it off."
    )
    livekit_udp_port: Port = Field(default=7882, description="Port for media over UDP of the managed LiveKit.")
    livekit_binary: Path | None = Field(
        default=None, description="The livekit-server to run; found, downloaded or built if not set."
    )
    livekit_download_url: str = Field(
        default="https://github.com/livekit/livekit/releases/download",
        description="Base URL of LiveKit's release archives, for networks that have a mirror.",
    )
    livekit_stop_grace: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=2.0, description="Seconds that the managed LiveKit may drain before its rooms are closed."
    )
    livekit_stun_servers: tuple[str, ...] = Field(
        default=(),
        description="STUN servers (host:port) that the managed LiveKit hands to clients; none if empty.",
    )
    livekit_url: Url | None = Field(
        default=None,
        validation_alias=environment_names("livekit_url", "LIVEKIT_URL"),
        description="URL of an external LiveKit (ws, wss, http or https), as clients reach it.",
    )
    livekit_api_host: Url | None = Field(
        default=None,
        validation_alias=environment_names("livekit_api_host", "LIVEKIT_API_HOST"),
        description="URL of an external LiveKit as Stagedoor reaches it; the LiveKit URL if not set.",
    )
    livekit_api_key: str | None = Field(
        default=None,
        validation_alias=environment_names("livekit_api_key", "LIVEKIT_API_KEY"),
        description="API key of the external LiveKit.",
    )
    livekit_api_secret: SecretStr | None = Field(
        default=None,
        validation_alias=environment_names("livekit_api_secret", "LIVEKIT_API_SECRET"),
        description="API secret of the external LiveKit.",
    )
    livekit_public_url: Url | None = Field(
        default=None,
        description="LiveKit's URL as browsers get it (ws or wss), when a proxy stands before LiveKit.",
    )

    @model_validator(mode="after")
    def _external_is_whole(self) -> LiveKitSettings:
        if self.external:
            missing = [
                name
                for name, value in (
                    ("LIVEKIT_API_KEY", self.livekit_api_key),
                    ("LIVEKIT_API_SECRET", self.livekit_api_secret),
                )
                if not value
            ]
            if missing:
                raise ValueError(f"an external LiveKit needs {' and '.join(missing)} as well")
        return self

    @property
    def external(self) -> bool:
        """True when a LiveKit that Stagedoor does not run is used."""
        return bool(self.livekit_api_host or self.livekit_url)
