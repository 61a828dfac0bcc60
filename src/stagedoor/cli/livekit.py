"""`stagedoor livekit`: the parts of the managed LiveKit alone."""

from __future__ import annotations

from typing import Annotated

import typer

from stagedoor.cli.options import ConfigFile, DataDir, resolved
from stagedoor.kernel.errors import OperatorError

app = typer.Typer(no_args_is_help=True, help="LiveKit: install it, find it, print its configuration.")


@app.command("install")
def install(config: ConfigFile = None) -> None:
    """Find, download or build livekit-server, and print where it is."""
    import asyncio

    from stagedoor.mediaserver.install import ensure_binary

    found = resolved(config).settings
    work = ensure_binary(
        found.livekit_binary,
        found.cache_dir,
        found.livekit_download_url,
        lambda sentence: typer.echo(sentence, err=True),
    )
    typer.echo(str(asyncio.run(work)))


@app.command("path")
def show_path(config: ConfigFile = None) -> None:
    """Print where livekit-server is; exit code 1 when it is nowhere."""
    from stagedoor.mediaserver.install import find_binary

    found = resolved(config).settings
    binary = find_binary(found.livekit_binary, found.cache_dir)
    if binary is None:
        raise OperatorError("There is no livekit-server yet; `stagedoor livekit install` gets it.")
    typer.echo(str(binary))


@app.command("config")
def show_config(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    webhook_only: Annotated[
        bool, typer.Option("--webhook", help="Only the webhook section, also for a managed LiveKit.")
    ] = False,
) -> None:
    """Print LiveKit's configuration; for an external LiveKit the webhook section that it must be given."""
    from stagedoor.app.datafolder import DataFolder
    from stagedoor.doctor.context import look
    from stagedoor.mediaserver.config import render, webhook_section

    found = resolved(config, data_dir=data_dir).settings
    DataFolder(found.data_dir).secrets()
    network = look(found).network  # as it runs, if it does: its ports may have been given by flags
    if network.managed is not None and not webhook_only:
        typer.echo(render(network.managed))
        return
    typer.echo(webhook_section(network.endpoint.api_key, (f"{network.public_url}/webhooks/livekit",)))
