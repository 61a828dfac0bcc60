"""The `stagedoor` command: a file per group of verbs, and the errors that end it."""

from __future__ import annotations

import sys

import typer

from stagedoor.cli import cameras, deploy, doctor, events, jobs, livekit, settings, tenancy, up
from stagedoor.kernel.errors import OperatorError

app = typer.Typer(
    name="stagedoor",
    help="The control plane for a self-hosted LiveKit server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("settings")(settings.settings)
app.command("doctor")(doctor.doctor)
app.add_typer(livekit.app, name="livekit")
app.add_typer(deploy.app, name="deploy")
app.add_typer(tenancy.organisations, name="organisations")
app.add_typer(tenancy.apps, name="apps")
app.add_typer(tenancy.keys, name="keys")
app.add_typer(cameras.app, name="cameras")
app.add_typer(events.app, name="events")
app.add_typer(jobs.app, name="jobs")


def main() -> None:
    """Run the command; a mistake or a failure ends it with one sentence and its exit code."""
    try:
        app()
    except OperatorError as error:
        print(f"stagedoor: {error}", file=sys.stderr)  # noqa: T201 - this is the command's own voice
        raise SystemExit(error.exit_code) from None
