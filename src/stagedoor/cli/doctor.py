"""`stagedoor doctor`: check the installation, explain what is wrong and say what to do next."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stagedoor.cli.options import AsJson, ConfigFile, DataDir, resolved
from stagedoor.cli.output import print_json, visible

if TYPE_CHECKING:
    from stagedoor.doctor.result import CheckResult

_STYLES: Final = {"ok": "green", "warning": "yellow", "broken": "bold red", "skipped": "dim"}


def doctor(
    data_dir: DataDir = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT, as given to `stagedoor up`.")] = None,
    public_url: Annotated[str | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    node_ip: Annotated[str | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    livekit_port: Annotated[int | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    livekit_tcp_port: Annotated[int | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    livekit_udp_port: Annotated[int | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    database_url: Annotated[str | None, typer.Option(help="As given to `stagedoor up`.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check LiveKit, the webhook, clocks, ports, UDP, database and disk; exit code 1 if something is broken.

    Ports of a running instance are found by themselves. It is asked through its API, so it may go on running.
    """
    import asyncio

    from stagedoor.doctor.run import diagnose

    settings = resolved(
        config,
        data_dir=data_dir,
        http=http,
        public_url=public_url,
        node_ip=node_ip,
        livekit_port=livekit_port,
        livekit_tcp_port=livekit_tcp_port,
        livekit_udp_port=livekit_udp_port,
        database_url=database_url,
    ).settings
    findings = asyncio.run(diagnose(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.status == "broken" for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[CheckResult]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(visible(finding.finding))
        if finding.status != "ok":
            text.append(f"\n→ {visible(finding.next)}", style="cyan")
        table.add_row(Text(finding.status, style=_STYLES[finding.status]), finding.check, text)
    console = Console(highlight=False)
    console.print(table)
    counts = Counter(finding.status for finding in findings)
    console.print(", ".join(f"{counts[status]} {status}" for status in _STYLES if counts[status]))
