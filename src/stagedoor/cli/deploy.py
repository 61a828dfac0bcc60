"""`stagedoor deploy`: write the files with which Stagedoor runs as a service or in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stagedoor.cli.options import ConfigFile, resolved
from stagedoor.deploy.executable import LIVEKIT_PLACE, this_installation
from stagedoor.deploy.writing import Outcome, write_all

app = typer.Typer(no_args_is_help=True, help="Write deployment files.")

Force = Annotated[bool, typer.Option("--force", help="Overwrite files that were changed; never those with secrets.")]
Http = Annotated[str | None, typer.Option(help="HOST:PORT that Stagedoor listens on.")]
PublicUrl = Annotated[str | None, typer.Option(help="URL under which browsers reach Stagedoor.")]
NodeIp = Annotated[str | None, typer.Option(help="IP address that LiveKit announces for media.")]


@app.command("systemd")
def systemd(
    output: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("stagedoor-systemd"),
    user: Annotated[str | None, typer.Option(help="User of the services; systemd makes one if not given.")] = None,
    managed: Annotated[bool, typer.Option("--managed", help="Let Stagedoor run LiveKit: one unit.")] = False,
    livekit_binary: Annotated[
        Path | None, typer.Option(help=f"livekit-server of livekit.service; {LIVEKIT_PLACE} if not given.")
    ] = None,
    http: Http = None,
    public_url: PublicUrl = None,
    node_ip: NodeIp = None,
    config: ConfigFile = None,
    force: Force = False,
) -> None:
    """Write hardened units for Stagedoor and for a LiveKit of its own, with their configuration and keys."""
    from stagedoor.deploy.systemd import SystemdPlan, systemd_files

    settings = resolved(config, http=http, public_url=public_url, node_ip=node_ip).settings
    plan = SystemdPlan(settings, output, user, managed, livekit_binary)
    files = systemd_files(plan)
    _print_outcome(output, write_all(output, files, force=force))
    if this_installation().in_home:
        typer.echo(
            "\nThis Stagedoor lies in a home directory, which the service may not be able to read: install it for all,"
            " for example into /opt/stagedoor, and run the command again from there.",
            err=True,
        )
    private = " ".join(str(output / file.name) for file in files if file.secret)
    units = [file.name for file in files if not file.secret]
    typer.echo("\nThen, as root:")
    if not managed and not (livekit_binary or LIVEKIT_PLACE).exists():
        typer.echo(f'  install -m 755 "$(stagedoor livekit path)" {livekit_binary or LIVEKIT_PLACE}')
    typer.echo("  install -d -m 755 /etc/stagedoor")
    typer.echo(f"  install -m 600 {private} /etc/stagedoor/")
    typer.echo(f"  install -m 644 {' '.join(str(output / unit) for unit in units)} /etc/systemd/system/")
    typer.echo(f"  systemctl daemon-reload && systemctl enable --now {' '.join(reversed(units))}")


@app.command("compose")
def compose(
    output: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("stagedoor-compose"),
    with_postgres: Annotated[bool, typer.Option("--with-postgres", help="PostgreSQL instead of SQLite.")] = False,
    with_redis: Annotated[
        bool, typer.Option("--with-redis", help="Redis for LiveKit: for several LiveKits, egress and ingress.")
    ] = False,
    image: Annotated[str | None, typer.Option(help="Stagedoor's image.")] = None,
    http: Http = None,
    public_url: PublicUrl = None,
    node_ip: NodeIp = None,
    config: ConfigFile = None,
    force: Force = False,
) -> None:
    """Write compose.yaml, and .env with the secrets; what .env has is kept, what it lacks is added."""
    from stagedoor.deploy.compose import ComposePlan, compose_files

    settings = resolved(config, http=http, public_url=public_url, node_ip=node_ip).settings
    plan = ComposePlan(settings, output, with_postgres, with_redis)
    if image is not None:
        plan = ComposePlan(settings, output, with_postgres, with_redis, image)
    _print_outcome(output, write_all(output, compose_files(plan), force=force))
    typer.echo(f"\nThen: docker compose --project-directory {output} up -d --wait")


def _print_outcome(folder: Path, outcome: dict[str, Outcome]) -> None:
    for name, what in outcome.items():
        typer.echo(f"{what:<10}{folder / name}")
