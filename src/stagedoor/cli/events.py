"""`stagedoor events`: LiveKit's events as they came, and applying them again."""

from __future__ import annotations

from typing import Annotated

import typer

from stagedoor.cli.client import call, path
from stagedoor.cli.options import AsJson, DataDir, resolved
from stagedoor.cli.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="The inbox of LiveKit's webhooks.")

EventId = Annotated[str, typer.Argument(help="LiveKit's id of the event, EV_…")]
_COLUMNS = ("seq", "id", "event", "livekitRoom", "receivedAt", "state", "attempts", "error")


@app.command("list")
def list_events(
    state: Annotated[str | None, typer.Option(help="pending, applied, unclaimed, ignored or failed.")] = None,
    room: Annotated[str | None, typer.Option(help="LiveKit name of a room.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first; 200 at the most.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List stored events, newest first."""
    query = {"state": state, "room": room, "limit": limit}
    data = call(resolved(data_dir=data_dir).settings, "GET", "inbox", query=query)["data"]
    if as_json:
        print_json(data)
    else:
        print_table(data, _COLUMNS)


@app.command("show")
def show_event(event: EventId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one stored event with its body."""
    del as_json  # a body is JSON either way
    print_json(call(resolved(data_dir=data_dir).settings, "GET", path("inbox", event))["data"])


@app.command("replay")
def replay_event(event: EventId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Apply a stored event again; what was applied before changes nothing."""
    data = call(resolved(data_dir=data_dir).settings, "POST", path("inbox", event, "replay"))["data"]
    if as_json:
        print_json(data)
    else:
        print_table([data], _COLUMNS)
