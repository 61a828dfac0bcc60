"""What settings of an installation are declared with. Each feature has its own; `stagedoor.settings` composes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from stagedoor.kernel.durations import parse_duration


class InstallationSettings(BaseModel):
    """Settings of one part of an installation."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _number_or_text(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
        raise ValueError("write it as a URL, for example https://stagedoor.example.com")
    return value.rstrip("/")


OFF: Final = "off"
"""The value of an address that is not listened on."""


def _listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("write it as HOST:PORT, for example 127.0.0.1:8080")
    return value


def _listen_address_or_off(value: str) -> str:
    try:
        return value if value == OFF else _listen_address(value)
    except ValueError as error:
        raise ValueError(f"{error}, or as off") from None


ListenAddress = Annotated[str, AfterValidator(_listen_address)]
ListenAddressOrOff = Annotated[str, AfterValidator(_listen_address_or_off)]
Port = Annotated[int, Field(ge=1, le=65_535)]
OptionalPort = Annotated[int, Field(ge=0, le=65_535)]
Duration = Annotated[int, BeforeValidator(lambda value: parse_duration(_number_or_text(value)))]
"""Seconds; also written as `90s`, `10m`, `1h`, `2d`."""

Url = Annotated[str, AfterValidator(_url)]
"""Of HTTP or a WebSocket, without a slash at the end."""

PREFIX: Final = "STAGEDOOR_"


def pairs(value: object) -> object:
    """`key1:secret1,key2:secret2` from the environment as a mapping."""
    if isinstance(value, str):
        parts = [part.strip().partition(":") for part in value.split(",") if part.strip()]
        if not all(key and secret for key, _, secret in parts):
            raise ValueError("write it as key1:secret1,key2:secret2")
        return {key: secret.strip() for key, _, secret in parts}
    return value


def default_folder(variable: str, fallback: str) -> Path:
    """The folder `stagedoor` in what the environment variable names, or in this folder of the home directory."""
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "stagedoor"


def environment_names(setting: str, *others: str) -> AliasChoices:
    """The setting's own name in the environment, and further ones."""
    return AliasChoices(setting, f"{PREFIX}{setting.upper()}", *others)


def former_name(setting: str, former: str) -> AliasChoices:
    """A setting's name, and one that it had before, which goes on to work in the environment and in the file."""
    return environment_names(setting, former, f"{PREFIX}{former.upper()}")
