"""Options that several verbs share."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stagedoor.settings.installation import Settings
    from stagedoor.settings.resolve import Resolved

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of database, secrets and LiveKit's files.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs; errors too.")]


@contextmanager
def _left_out(package: str) -> Generator[None]:
    """Have imports do without an optional package: structlog would load it for tracebacks in colour, which we do not
    print, and it is a tenth of a start."""
    if package in sys.modules:
        yield
        return
    absent: Any = None
    sys.modules[package] = absent
    try:
        yield
    finally:
        del sys.modules[package]


def resolved(config: Path | None = None, **flags: Any) -> Resolved:
    """The settings, and logs set up after them."""
    from stagedoor.settings.resolve import resolve

    found = resolve(flags, os.environ, config)
    set_up_logs(found.settings)
    return found


def set_up_logs(settings: Settings) -> None:
    """Set up logs. To be called before anything else imports structlog."""
    with _left_out("rich"):
        from stagedoor.app.logs import configure
    configure(settings)
