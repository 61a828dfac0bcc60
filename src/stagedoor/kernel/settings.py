"""Every setting of the installation: its name, default, meaning, and where its value came from.

Values come from flags, then the environment, then a TOML file, then the default. The environment's names are
`STAGEDOOR_` and the setting's name in capitals, and for LiveKit the names that LiveKit's own tools use.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import CallerMistake
from stagedoor.kernel.wording import wording

Origin = Literal["flag", "environment", "file", "default"]

Port = Annotated[int, Field(ge=1, le=65_535)]
OptionalPort = Annotated[int, Field(ge=0, le=65_535)]
Duration = Annotated[int, BeforeValidator(lambda value: parse_duration(_number_or_text(value)))]
"""Seconds; also written as `90s`, `10m`, `1h`, `2d`."""


_LISTS = frozenset({"livekit_stun_servers", "trusted_proxies", "webhook_retry_delays"})
"""Settings that are written with commas in the environment."""

_OF_CALLERS = frozenset({"STAGEDOOR_KEY", "STAGEDOOR_URL"})
"""What callers of the API have in their environment, as in the README: they are no settings, and no mistakes."""

_OWN_PATHS = frozenset({"api", "assets", "embed", "health", "ingest", "live", "meet", "metrics", "play", "ready"})


def _number_or_text(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


def _pairs(value: object) -> object:
    """`key1:secret1,key2:secret2` from the environment as a mapping."""
    if isinstance(value, str):
        parts = [part.strip().partition(":") for part in value.split(",") if part.strip()]
        if not all(key and secret for key, _, secret in parts):
            raise ValueError("write it as key1:secret1,key2:secret2")
        return {key: secret.strip() for key, _, secret in parts}
    return value


def _default_folder(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "stagedoor"


def _environment_names(setting: str, *others: str) -> AliasChoices:
    return AliasChoices(setting, f"STAGEDOOR_{setting.upper()}", *others)


class Settings(BaseModel):
    """The settings of one installation, read once at start."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    data_dir: Path = Field(
        default_factory=lambda: _default_folder("XDG_DATA_HOME", ".local/share"),
        description="Folder of the database, secrets and LiveKit's files; made with mode 0700.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: _default_folder("XDG_CACHE_HOME", ".cache"),
        description="Folder of what can be fetched or built again, such as livekit-server.",
    )
    http: str = Field(
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
        validation_alias=_environment_names("trusted_proxies", "FORWARDED_ALLOW_IPS"),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    public_url: str | None = Field(
        default=None,
        description="URL under which browsers and API callers reach Stagedoor; the HTTP address if not set.",
    )
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
    livekit_url: str | None = Field(
        default=None,
        validation_alias=_environment_names("livekit_url", "LIVEKIT_URL"),
        description="URL of an external LiveKit (ws, wss, http or https), as clients reach it.",
    )
    livekit_api_host: str | None = Field(
        default=None,
        validation_alias=_environment_names("livekit_api_host", "LIVEKIT_API_HOST"),
        description="URL of an external LiveKit as Stagedoor reaches it; the LiveKit URL if not set.",
    )
    livekit_api_key: str | None = Field(
        default=None,
        validation_alias=_environment_names("livekit_api_key", "LIVEKIT_API_KEY"),
        description="API key of the external LiveKit.",
    )
    livekit_api_secret: SecretStr | None = Field(
        default=None,
        validation_alias=_environment_names("livekit_api_secret", "LIVEKIT_API_SECRET"),
        description="API secret of the external LiveKit.",
    )
    livekit_public_url: str | None = Field(
        default=None,
        description="LiveKit's URL as browsers are told it (ws or wss), when a proxy stands before LiveKit.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host/database; SQLite in the data folder if not set.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="redis://… or rediss://…: a camera of one node is seen on every node; not needed on one machine.",
    )
    webhook_path: str = Field(
        default="/voice/livekit/webhooks",
        description="Second path of LiveKit's webhook; /webhooks/livekit always answers too.",
    )
    webhook_max_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=2_097_152, description="Largest webhook body that is taken, in bytes."
    )
    webhook_extra_keys: Annotated[Mapping[str, SecretStr], BeforeValidator(_pairs)] = Field(
        default_factory=dict,
        description="Further LiveKit keys whose webhooks are accepted (key:secret,…), for key rotation.",
    )
    webhook_hmac_enabled: bool = Field(
        default=False,
        description="Accept X-LiveKit-Signature (hex HMAC-SHA256 of the body) as well as LiveKit's own signature.",
    )
    reconcile_interval: Duration = Field(
        default=30, description="Seconds between two comparisons of our state with LiveKit's."
    )
    api_max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=1_048_576, description="Largest body of an API request, in bytes."
    )
    feed_max_clients: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Live feed connections that one app may hold at a time on this node."
    )
    start_patience: Duration = Field(
        default=60,
        description="Seconds for which a start waits for a database or an external LiveKit that does not answer yet,"
        " or is busy.",
    )
    idempotency_ttl: Duration = Field(
        default=86_400, description="Seconds for which the answer to an Idempotency-Key is kept."
    )
    idempotency_max_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=67_108_864,
        description="Bytes of answers to Idempotency-Keys that are kept for one API key; the oldest go first.",
    )
    webhook_allow_private_targets: bool = Field(
        default=False,
        description="Let outgoing webhooks go to private and loopback addresses, and over http.",
    )
    webhook_timeout: Duration = Field(
        default=10, description="Seconds that one attempt to deliver an outgoing webhook may take."
    )
    webhook_retry_delays: tuple[Duration, ...] = Field(
        default=(5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
        description="Seconds before each further attempt to deliver an outgoing webhook; by default over three days.",
    )
    webhook_disable_after: Duration = Field(
        default=259_200,
        description="Seconds without a success after which a failing outgoing webhook is disabled.",
    )
    webhook_keep_deliveries: Duration = Field(
        default=2_592_000, description="Seconds for which a delivery that is over is remembered."
    )
    objects_url: str | None = Field(
        default=None,
        description="Object storage of archives: s3://bucket/prefix, gs://…, az://… or file:///folder;"
        " `objects` in the data folder if not set.",
    )
    retention_interval: Duration = Field(
        default=3_600, description="Seconds between two sweeps for what apps keep for no longer."
    )
    jobs_keep_done: Duration = Field(default=86_400, description="Seconds for which a job that is done is remembered.")
    jobs_keep_ended: Duration = Field(
        default=2_592_000, description="Seconds for which a job that failed, died or was cancelled is remembered."
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token that /metrics asks for; open if not set (it names no tenant)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level of log lines that are written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Log lines for people or for programs; auto asks the terminal."
    )

    @field_validator("http")
    @classmethod
    def _http_is_an_address(cls, value: str) -> str:
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdigit() or not 0 < int(port) < 65_536:
            raise ValueError("write it as HOST:PORT, for example 127.0.0.1:8080")
        return value

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

    @field_validator("public_url", "livekit_url", "livekit_api_host", "livekit_public_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
            raise ValueError("write it as a URL, for example https://stagedoor.example.com")
        return value.rstrip("/")

    @field_validator("webhook_path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        first = value.split("/")[1] if value.startswith("/") else ""
        if not first or first in _OWN_PATHS or "{" in value or "?" in value:
            raise ValueError("write it as a path such as /voice/livekit/webhooks, outside /api and the pages")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(
            ("postgresql://", "postgres://", "sqlite:///")
        ):
            raise ValueError("write it as postgresql://user:password@host:5432/database")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write it as redis://user:password@host:6379/0")
        return value

    @model_validator(mode="after")
    def _external_is_whole(self) -> Settings:
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

    @property
    def http_host(self) -> str:
        """The address of `http`, without the brackets of an IPv6 address."""
        return self.http.rpartition(":")[0].strip("[]")

    @property
    def http_port(self) -> int:
        return int(self.http.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings and the origin of each value."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None


def environment_names(setting: str) -> list[str]:
    """The environment variables that a setting is read from, first one first."""
    alias = Settings.model_fields[setting].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices if str(choice) != setting]
    return [f"STAGEDOOR_{setting.upper()}"]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that are named like settings and are none: mistyped ones, most likely."""
    known = {
        *_OF_CALLERS,
        "STAGEDOOR_CONFIG",
        *(name for setting in Settings.model_fields for name in environment_names(setting)),
    }
    return sorted(name for name in environment if name.startswith("STAGEDOOR_") and name not in known)


def resolve(flags: Mapping[str, Any], environment: Mapping[str, str], config_file: Path | None = None) -> Resolved:
    """Settings from flags, environment, file and defaults, in that order.

    Args:
        flags: Values by setting; `None` means that the flag was not given.
        environment: The process's environment.
        config_file: A TOML file; without it `STAGEDOOR_CONFIG`, then `stagedoor.toml` in the data folder.

    Raises:
        CallerMistake: A value is wrong, a setting is unknown, or the file can't be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    origins: dict[str, Origin] = dict.fromkeys(given, "flag")
    for name in Settings.model_fields:
        for variable in environment_names(name):
            if environment.get(variable) and name not in given:
                given[name] = _from_text(name, environment[variable])
                origins[name] = "environment"
    file = _find_file(config_file, environment, given)
    if file is not None:
        for name, value in _read_file(file).items():
            if name not in given:
                given[name] = value
                origins[name] = "file"
    unknown = sorted(set(given) - set(Settings.model_fields))
    if unknown:
        raise CallerMistake(
            f"There is no setting {unknown[0]!r} ({origins[unknown[0]]}); `stagedoor settings` lists every one."
        )
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise CallerMistake(_sentence(error, origins)) from None
    for name in Settings.model_fields:
        origins.setdefault(name, "default")
    return Resolved(settings, origins, file)


def _from_text(name: str, text: str) -> Any:
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _find_file(explicit: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]) -> Path | None:
    if explicit is None and environment.get("STAGEDOOR_CONFIG"):
        explicit = Path(environment["STAGEDOOR_CONFIG"])
    if explicit is not None:
        if not explicit.is_file():
            raise CallerMistake(f"There is no settings file {explicit}.")
        return explicit
    folder = Path(given.get("data_dir") or _default_folder("XDG_DATA_HOME", ".local/share"))
    candidate = folder / "stagedoor.toml"
    return candidate if candidate.is_file() else None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CallerMistake(f"The settings file {file} can't be read: {error}.") from None


def _sentence(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    message = wording(first)
    if not first["loc"]:
        return f"The settings don't fit together: {message}."
    name = str(first["loc"][0])
    canonical = next((field for field in Settings.model_fields if name in {field, *environment_names(field)}), name)
    names = {
        "flag": f"--{canonical.replace('_', '-')}",
        "environment": environment_names(canonical)[0] if canonical in Settings.model_fields else canonical,
    }
    origin = origins.get(canonical, "default")
    return f"The setting {names.get(origin, canonical)} is wrong: {message}."
