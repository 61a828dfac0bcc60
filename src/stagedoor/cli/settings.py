"""`stagedoor settings`: every setting with its value, origin, default and meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import typer

from stagedoor.cli.options import AsJson, ConfigFile, DataDir, resolved
from stagedoor.cli.output import print_json, print_table

if TYPE_CHECKING:
    from stagedoor.settings.resolve import Resolved

_MASK = "********"
_SECRET = re.compile(r"key|secret|token|password|sig|credential", re.IGNORECASE)
"""Names in the query of a URL whose values are secrets, in any object store's spelling."""


def settings(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List every setting; secrets are masked."""
    found = resolved(config, data_dir=data_dir)
    rows = describe(found)
    if as_json:
        print_json(rows)
        return
    print_table(
        [row | {"from": row["origin"]} for row in rows], ("name", "value", "from", "default", "environment", "meaning")
    )
    typer.echo(f"Settings file: {found.file or 'none'}", err=True)


def describe(found: Resolved) -> list[dict[str, Any]]:
    """A row per setting."""
    from pydantic_core import PydanticUndefined

    from stagedoor.settings.installation import Settings
    from stagedoor.settings.resolve import environment_names

    rows: list[dict[str, Any]] = []
    for name, field in Settings.model_fields.items():
        default = (
            field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
        )
        rows.append(
            {
                "name": name,
                "value": _shown(getattr(found.settings, name)),
                "origin": found.origins[name],
                "default": _shown(default),
                "environment": environment_names(name),
                "meaning": field.description or "",
            }
        )
    return rows


def _shown(value: Any) -> Any:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, dict):
        return {str(key): _shown(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple):
        return [_shown(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str) and "://" in value:
        return _without_credentials(value)
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def _without_credentials(url: str) -> str:
    """The URL as it may be shown: object stores take keys before the `@` and in the query."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    masked = f"{_MASK}@{host}" if at and account else parts.netloc
    query = "&".join(
        f"{name}={_MASK if _SECRET.search(name) else value}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit(parts._replace(netloc=masked, query=query))
