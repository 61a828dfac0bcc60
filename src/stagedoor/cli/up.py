"""`stagedoor up`: the whole product in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from stagedoor.app.product import Product, Summary
from stagedoor.cli.options import AsJson, ConfigFile, DataDir, resolved
from stagedoor.settings.installation import Settings
from stagedoor.settings.resolve import unknown_variables


def up(
    data_dir: DataDir = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT that HTTP listens on.")] = None,
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
        public_url=public_url,
        node_ip=node_ip,
        livekit_port=livekit_port,
        livekit_tcp_port=livekit_tcp_port,
        livekit_udp_port=livekit_udp_port,
        livekit_binary=livekit_binary,
        database_url=database_url,
    )
    for name in unknown_variables(os.environ):
        sys.stderr.write(f"stagedoor: there is no setting {name}; `stagedoor settings` lists every one\n")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(found.settings, as_json=as_json))


async def _run(settings: Settings, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    console = Console(stderr=True)
    product = Product(settings, lambda sentence: console.print(sentence, style="dim", highlight=False, soft_wrap=True))
    starting = asyncio.create_task(product.start(), name="start")
    asked = asyncio.create_task(stopped.wait(), name="signals")
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    try:
        _tell(starting.result(), as_json=as_json)
        failed = asyncio.create_task(product.failed(), name="failures")
        await asyncio.wait({asked, failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        await product.stop()
    if failed.done():
        failed.result()
    failed.cancel()


def _tell(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(summary.line().decode() + "\n")
        sys.stdout.flush()
        return
    version = f" {summary.livekit_version}" if summary.livekit_version else ""
    rows = {
        "Open a room": summary.meet_url,
        "API key": f"{summary.api_key}   (shown this once)" if summary.api_key else None,
        "API": f"{summary.url}/api/v1   (readable at {summary.url}/api/v1/docs)",
        "LiveKit": f"{summary.livekit_url}   ({summary.livekit_mode}{version})",
        "App": f"{summary.app} of organisation {summary.organisation}",
        "Data": summary.data_dir,
    }
    console = Console(highlight=False)
    console.print("\n[bold green]Stagedoor is ready.[/] Ctrl-C stops it.\n")
    for name, text in rows.items():
        if text is not None:
            # A link that is broken into lines can't be clicked or copied, so the terminal wraps and not we.
            console.print(f"[bold]{name:<12}[/] {text}", soft_wrap=True)
    console.print()
