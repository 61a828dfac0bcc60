"""Every setting of an installation, composed of the features' own.

What is of the process and of HTTP, which are no features, stands here.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from stagedoor.events.settings import FeedSettings
from stagedoor.inbox.settings import InboxSettings
from stagedoor.jobs.settings import JobSettings
from stagedoor.kernel.settings import (
    Duration,
    InstallationSettings,
    ListenAddress,
    Url,
    default_folder,
    environment_names,
)
from stagedoor.mediaserver.settings import LiveKitSettings
from stagedoor.outbox.settings import OutboxSettings
from stagedoor.outputs.hls.settings import HlsMemorySettings
from stagedoor.people.settings import SignInSettings
from stagedoor.retention.settings import RetentionSettings
from stagedoor.rooms.settings import ReconcileSettings
from stagedoor.sources.ingress.settings import PublicRtmpSettings
from stagedoor.sources.pull.settings import PullSettings
from stagedoor.sources.rtmp.settings import RtmpSettings
from stagedoor.storage.settings import StorageSettings
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.settings import ClusterSettings


class ProcessSettings(InstallationSettings):
    """The process."""

    data_dir: Path = Field(
        default_factory=lambda: default_folder("XDG_DATA_HOME", ".local/share"),
        description="Folder of the database, secrets and LiveKit's files; made with mode 0700.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: default_folder("XDG_CACHE_HOME", ".cache"),
        description="Folder of what can be fetched or built again, such as livekit-server.",
    )
    start_timeout: Duration = Field(
        default=60,
        description="Seconds for which a start waits for a database or an external LiveKit that does not answer yet,"
        " or is busy.",
    )


class HttpSettings(InstallationSettings):
    """HTTP and the API."""

    http: ListenAddress = Field(
        default="127.0.0.1:8080",
        description="Address and port that HTTP listens on.",
    )
    http_max_head_bytes: Annotated[int, Field(ge=8_192, le=65_536)] = Field(
        default=65_536, description="Largest head of an HTTP request (request line and headers), in bytes."
    )
    http_head_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=30, description="Seconds until the head of an HTTP request must be there."
    )
    http_body_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=30,
        description="Seconds until the body of an HTTP request must be there, and one more for each 500 bytes of it.",
    )
    http_keep_alive: Annotated[Duration, Field(ge=1)] = Field(
        default=150,
        description="Seconds for which an idle connection is kept; longer than the proxy before Stagedoor keeps it.",
    )
    http_max_connections: Annotated[int, Field(ge=16)] = Field(
        default=10_000,
        description="HTTP connections at a time, and at most three quarters of the files that the process may open;"
        " when there are more, those that have been idle longest are closed.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"),
        validation_alias=environment_names("trusted_proxies", "FORWARDED_ALLOW_IPS"),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    public_url: Url | None = Field(
        default=None,
        description="URL under which browsers and API callers reach Stagedoor; the HTTP address if not set.",
    )
    api_max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=1_048_576, description="Largest body of an API request, in bytes."
    )
    api_max_calls: Annotated[int, Field(ge=1)] = Field(
        default=500, description="Calls of the API that one key may have under way at a time on this node."
    )
    idempotency_ttl: Duration = Field(
        default=86_400, description="Seconds for which the answer to an Idempotency-Key is kept."
    )
    idempotency_max_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=67_108_864,
        description="Bytes of answers to Idempotency-Keys that are kept for one API key; the oldest go first.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value != ("*",):
            for network in value:
                try:
                    ip_network(network)
                except ValueError:
                    raise ValueError("write addresses or networks, for example 172.16.0.0/12,10.0.0.7") from None
        return value

    @property
    def http_host(self) -> str:
        """The address of `http`, without the brackets of an IPv6 address."""
        return self.http.rpartition(":")[0].strip("[]")

    @property
    def http_port(self) -> int:
        return int(self.http.rpartition(":")[2])


class TelemetrySettings(InstallationSettings):
    """What operators see."""

    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token that /metrics asks for; open if not set (it names no tenant)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level of log lines that are written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Log lines for people or for programs; auto asks the terminal."
    )


class Settings(
    TelemetrySettings,
    JobSettings,
    RetentionSettings,
    OutboxSettings,
    FeedSettings,
    ReconcileSettings,
    InboxSettings,
    PullSettings,
    RtmpSettings,
    PublicRtmpSettings,
    HlsMemorySettings,
    MediaWorkerSettings,
    ClusterSettings,
    StorageSettings,
    LiveKitSettings,
    SignInSettings,
    HttpSettings,
    ProcessSettings,
):
    """The settings of one installation, read once at start.

    They are listed from the last part to the first, which is the order in which pydantic collects fields.
    """
