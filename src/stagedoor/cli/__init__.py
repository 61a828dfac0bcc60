"""The `stagedoor` command: what runs the product in files of their own, every request of its API in one table."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any, Final

import typer

from stagedoor.cli import deploy, doctor, livekit, settings, up
from stagedoor.cli.commands import GROUPS
from stagedoor.cli.requests import group
from stagedoor.kernel.errors import OperatorError

_COMPLETION: Final = "_STAGEDOOR_COMPLETE"


def make_app(arguments: list[str] | None = None) -> typer.Typer:
    """The command line.

    Args:
        arguments: What was typed: only the group that it names gets its verbs, which is quicker; all of them without.
    """
    app = typer.Typer(
        name="stagedoor",
        help="The control plane for a self-hosted LiveKit server.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    app.command("up")(up.up)
    app.command("settings")(settings.settings)
    app.command("doctor")(doctor.doctor)
    app.add_typer(livekit.app, name="livekit")
    app.add_typer(deploy.app, name="deploy")
    for one in GROUPS:
        if arguments is None or one.name in arguments:
            app.add_typer(group(one), name=one.name)
        else:
            app.add_typer(typer.Typer(help=one.help), name=one.name)
        if one.alias is not None and (arguments is None or one.alias in arguments):
            app.add_typer(group(one, alias_of=one.name), name=one.alias, hidden=True)
    return app


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the value of a flag
    if wanted:
        from stagedoor import __version__

        typer.echo(f"stagedoor {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has printed it


def main() -> None:
    """Run the command; a mistake or a failure ends it with one sentence, or one JSON document, and its exit code."""
    arguments = None if _COMPLETION in os.environ else sys.argv[1:]
    try:
        if _wants_json():
            _run_for_a_program(make_app(arguments))
        else:
            make_app(arguments)()
    except OperatorError as error:
        sys.stderr.write(_message_of(error) + "\n")
        raise SystemExit(error.exit_code) from None


def _wants_json() -> bool:
    return "--json" in sys.argv


def _run_for_a_program(app: typer.Typer) -> None:
    """Typer's own words about a wrong option are a box for people."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        say: Any = getattr(error, "format_message", error.__str__)  # with the name of the option
        sys.stderr.write(json.dumps({"code": "usage", "detail": say()}) + "\n")
        raise SystemExit(2) from None
    if isinstance(code, int) and code:
        raise SystemExit(code)


def _message_of(error: OperatorError) -> str:
    from stagedoor.cli.output import visible

    if not _wants_json():
        return f"stagedoor: {visible(str(error))}"
    problem: dict[str, Any] = getattr(error, "problem", {"code": "operator_error", "detail": str(error)})
    return json.dumps(problem)
