"""`stagedoor deploy`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Write deployment files.")


@app.command("systemd")
def systemd() -> None:
    """Write unit files."""
