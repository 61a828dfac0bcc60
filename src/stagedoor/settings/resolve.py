"""From flags, the environment and a file to the settings of an installation.

Values come from flags, then the environment, then a TOML file, then the default. The environment's names are
`STAGEDOOR_` and the setting's name in capitals, and for LiveKit the names that LiveKit's own tools use.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_origin

from pydantic import AliasChoices, ValidationError

from stagedoor.kernel.errors import CallerMistake
from stagedoor.kernel.settings import default_folder
from stagedoor.kernel.wording import wording
from stagedoor.settings.installation import Settings

Origin = Literal["flag", "environment", "file", "default"]

_FLAGS: Final = {"rtmp_listen": "--rtmp"}
"""The flags that are not called as their settings are."""

_OF_CALLERS = frozenset({"STAGEDOOR_KEY", "STAGEDOOR_URL"})
"""What callers of the API have in their environment, as in the README: they are no settings, and no mistakes."""


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
        return [str(choice) for choice in alias.choices if str(choice).isupper()]
    return [f"STAGEDOOR_{setting.upper()}"]


def former_names(setting: str) -> list[str]:
    """The names that a setting had before; they go on to work."""
    alias = Settings.model_fields[setting].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else ()
    return [str(choice) for choice in choices if not str(choice).isupper() and str(choice) != setting]


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
        CallerMistake: A value is wrong, a setting is unknown, or the file cannot be read.
    """
    given = {_present_name(name): value for name, value in flags.items() if value is not None}
    origins: dict[str, Origin] = dict.fromkeys(given, "flag")
    written = {name: _FLAGS.get(name, f"--{name.replace('_', '-')}") for name in given}
    for name in Settings.model_fields:
        for variable in environment_names(name):
            if environment.get(variable) and name not in given:
                given[name] = _from_text(name, environment[variable])
                origins[name], written[name] = "environment", variable
    file = _find_file(config_file, environment, given)
    if file is not None:
        for key, value in _read_file(file).items():
            name = _present_name(key)
            if name not in given:
                given[name] = value
                origins[name], written[name] = "file", key
    unknown = sorted(set(given) - set(Settings.model_fields))
    if unknown:
        raise CallerMistake(
            f"There is no setting {unknown[0]!r} ({origins[unknown[0]]}); `stagedoor settings` lists every one."
        )
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise CallerMistake(_sentence(error, written)) from None
    for name in Settings.model_fields:
        origins.setdefault(name, "default")
    return Resolved(settings, origins, file)


def _present_name(key: str) -> str:
    """The name of the setting that is now, or was before, or is in the environment called so."""
    for name in Settings.model_fields:
        if key == name or key in former_names(name) or key in environment_names(name):
            return name
    return key


def _from_text(name: str, text: str) -> Any:
    if get_origin(Settings.model_fields[name].annotation) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _find_file(explicit: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]) -> Path | None:
    if explicit is None and environment.get("STAGEDOOR_CONFIG"):
        explicit = Path(environment["STAGEDOOR_CONFIG"])
    if explicit is not None:
        if not explicit.is_file():
            raise CallerMistake(f"There is no settings file {explicit}.")
        return explicit
    folder = Path(given.get("data_dir") or default_folder("XDG_DATA_HOME", ".local/share"))
    candidate = folder / "stagedoor.toml"
    return candidate if candidate.is_file() else None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CallerMistake(f"The settings file {file} cannot be read: {error}.") from None


def _sentence(error: ValidationError, written: Mapping[str, str]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    message = wording(first)
    if not first["loc"]:
        return f"The settings do not fit together: {message}."
    name = _present_name(str(first["loc"][0]))
    return f"The setting {written.get(name, name)} is wrong: {message}."
