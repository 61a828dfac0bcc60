"""`stagedoor cameras`: devices that push JPEG frames."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stagedoor.cli.client import call, path
from stagedoor.cli.options import AsJson, DataDir, resolved
from stagedoor.cli.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Cameras: devices that push JPEG frames into a room.")

App = Annotated[str, typer.Option("--app", help="The app's slug or id.")]
CameraId = Annotated[str, typer.Argument(help="The camera's id, cam_…")]
_COLUMNS = ("id", "name", "room", "enabled", "live", "bridged", "viewers", "lastSeenAt")


@app.command("create")
def create_camera(
    room: Annotated[str, typer.Argument(help="The room's short or LiveKit name.")],
    app: App = "live",
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    identity: Annotated[str | None, typer.Option(help="Its participant's identity when it is bridged.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a camera; its key is shown this once."""
    given = {"room": room, "name": name, "identity": identity}
    body = {field: value for field, value in given.items() if value is not None}
    data = call(resolved(data_dir=data_dir).settings, "POST", path("apps", app, "ws-ingest"), body)["data"]
    _show(data, ("id", "room", "streamKey", "wsUrl"), as_json=as_json)


@app.command("list")
def list_cameras(
    app: App = "live",
    room: Annotated[str | None, typer.Option(help="Only this room's.")] = None,
    limit: Annotated[int, typer.Option(help="How many, oldest first; 200 at the most.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List an app's cameras."""
    query = {"room": room, "limit": limit}
    data = call(resolved(data_dir=data_dir).settings, "GET", path("apps", app, "ws-ingest"), query=query)["data"]
    if as_json:
        print_json(data)
    else:
        print_table(data, _COLUMNS)


@app.command("show")
def show_camera(camera: CameraId, app: App = "live", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one camera, with what its device last said of itself."""
    del as_json  # it has too many fields for a line
    print_json(call(resolved(data_dir=data_dir).settings, "GET", path("apps", app, "ws-ingest", camera))["data"])


@app.command("enable")
def enable_camera(camera: CameraId, app: App = "live", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Let a camera send."""
    _change(camera, app, {"enabled": True}, data_dir, as_json)


@app.command("disable")
def disable_camera(camera: CameraId, app: App = "live", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Keep a camera out, and end its connection."""
    _change(camera, app, {"enabled": False}, data_dir, as_json)


@app.command("rotate")
def rotate_camera(camera: CameraId, app: App = "live", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Give a camera another key, shown this once; the old one opens nothing any more."""
    target = path("apps", app, "ws-ingest", camera, "rotate")
    data = call(resolved(data_dir=data_dir).settings, "POST", target)["data"]
    _show(data, ("id", "room", "streamKey", "wsUrl"), as_json=as_json)


@app.command("delete")
def delete_camera(camera: CameraId, app: App = "live", data_dir: DataDir = None) -> None:
    """Delete a camera, and end its connection."""
    call(resolved(data_dir=data_dir).settings, "DELETE", path("apps", app, "ws-ingest", camera))


def _change(camera: str, app: str, body: dict[str, Any], data_dir: DataDir, as_json: AsJson) -> None:
    data = call(resolved(data_dir=data_dir).settings, "PATCH", path("apps", app, "ws-ingest", camera), body)["data"]
    _show(data, _COLUMNS, as_json=as_json)


def _show(data: dict[str, Any], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        print_table([data], columns)
