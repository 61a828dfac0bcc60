"""`stagedoor settings`: every setting with its value, origin, default and meaning."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from stagedoor.cli.options import AsJson, ConfigFile, DataDir, resolved
from stagedoor.cli.output import print_json, print_table
from stagedoor.settings.installation import Settings
from stagedoor.settings.resolve import Resolved, environment_names

_MASK = "********"


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
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, dict):
        return {str(key): _shown(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple):
        return [_shown(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return value if isinstance(value, int | float | str | bool | None) else str(value)
