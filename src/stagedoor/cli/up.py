"""`stagedoor up`: the whole product in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stagedoor.cli.options import AsJson, ConfigFile, DataDir, resolved


def up(
    data_dir: DataDir = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT that HTTP listens on.")] = None,
    rtmp: Annotated[str | None, typer.Option(help="HOST:PORT that RTMP listens on; off turns it off.")] = None,
    public_url: Annotated[str | None, typer.Option(help="URL under which browsers reach Stagedoor.")] = None,
    node_ip: Annotated[str | None, typer.Option(help="IP address that LiveKit announces for media.")] = None,
    livekit_port: Annotated[int | None, typer.Option(help="LiveKit's HTTP and WebSocket port.")] = None,
    livekit_tcp_port: Annotated[int | None, typer.Option(help="LiveKit's port for media over TCP.")] = None,
    livekit_udp_port: Annotated[int | None, typer.Option(help="LiveKit's port for media over UDP.")] = None,
    livekit_binary: Annotated[Path | None, typer.Option(help="The livekit-server to run.")] = None,
    database_url: Annotated[str | None, typer.Option(help="PostgreSQL instead of SQLite.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Start everything, and stop it on Ctrl-C or SIGTERM."""
    found = resolved(
        config,
        data_dir=data_dir,
        http=http,
        rtmp_listen=rtmp,
        public_url=public_url,
        node_ip=node_ip,
        livekit_port=livekit_port,
        livekit_tcp_port=livekit_tcp_port,
        livekit_udp_port=livekit_udp_port,
        livekit_binary=livekit_binary,
        database_url=database_url,
    )
    # After the settings, whose reader imports structlog without what it does not need.
    from stagedoor.cli.running import run
    from stagedoor.settings.resolve import unknown_variables

    for name in unknown_variables(os.environ):
        sys.stderr.write(f"stagedoor: there is no setting {name}; `stagedoor settings` lists every one\n")
    run(found.settings, as_json=as_json)
