"""Options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from stagedoor.app.logs import configure
from stagedoor.settings.resolve import Resolved, resolve

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of database, secrets and LiveKit's files.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def resolved(config: Path | None = None, **flags: Any) -> Resolved:
    """The settings, and logs set up after them."""
    found = resolve(flags, os.environ, config)
    configure(found.settings)
    return found
