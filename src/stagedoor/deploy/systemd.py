"""The files for systemd: a unit for Stagedoor, one for a LiveKit of its own, and what both read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stagedoor.app.datafolder import Secrets
from stagedoor.app.network import Network, lay_out
from stagedoor.deploy import envfile
from stagedoor.deploy.executable import LIVEKIT_PLACE, Program, is_in_home, quoted, this_installation
from stagedoor.deploy.keypair import find_or_make
from stagedoor.deploy.rendering import fill
from stagedoor.deploy.writing import DeployFile
from stagedoor.kernel.errors import CallerMistake
from stagedoor.mediaserver.config import render
from stagedoor.mediaserver.network import primary_address
from stagedoor.settings.installation import Settings

ENVIRONMENT: Final = "stagedoor.env"
LIVEKIT_CONFIG: Final = "livekit.yaml"
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}|[0-9]{1,10}")
"""What `User=` takes (systemd.exec(5)): no specifiers, no blanks, and no line that begins another setting."""


@dataclass(frozen=True, slots=True)
class SystemdPlan:
    """What was asked for.

    Attributes:
        settings: The settings, flags included.
        folder: Where the files go, and where those of an earlier run are.
        user: The user of the units; None lets systemd make one for each (DynamicUser).
        managed: Stagedoor runs LiveKit itself, so there is one unit only.
        livekit_binary: For livekit.service; None is its usual place.
    """

    settings: Settings
    folder: Path
    user: str | None
    managed: bool
    livekit_binary: Path | None


def systemd_files(plan: SystemdPlan) -> list[DeployFile]:
    """The files.

    Raises:
        CallerMistake: An earlier run's settings don't fit to this one.
    """
    if plan.user is not None and not _USER.fullmatch(plan.user):
        raise CallerMistake(f"{plan.user!r} is no user's name: letters, digits, `_`, `.` and `-`, or a number.")
    found = envfile.read(plan.folder / ENVIRONMENT)
    pair = find_or_make(plan.settings, found, plan.folder / LIVEKIT_CONFIG)
    settings = plan.settings
    behind_proxy = settings.public_url is not None and settings.node_ip is None
    network = lay_out(
        settings.model_copy(
            update={
                "livekit_url": None,
                "livekit_api_host": None,
                # With a public URL others come from outside: they need an address of this machine for media.
                "node_ip": primary_address() if behind_proxy else settings.node_ip,
            }
        ),
        Secrets(pair.key, pair.secret, "", ""),
    )
    program = this_installation()
    unit = DeployFile("stagedoor.service", _stagedoor_unit(plan, program))
    values = _environment(plan, network)
    if plan.managed and found.get("LIVEKIT_API_HOST"):
        raise CallerMistake(
            f"{plan.folder / ENVIRONMENT} names an external LiveKit; take its LIVEKIT_… lines out, or write to another"
            " folder."
        )
    head = "Stagedoor's settings; `stagedoor settings` lists every one. No value may need quotes."
    environment = DeployFile(ENVIRONMENT, envfile.document(head, values), secret=True, variables=values)
    if plan.managed or network.managed is None:
        return [unit, environment]
    livekit = DeployFile("livekit.service", _livekit_unit(plan))
    comment = "# LiveKit's configuration, with its keys; stagedoor.env has the same pair.\n"
    return [unit, livekit, environment, DeployFile(LIVEKIT_CONFIG, comment + render(network.managed), secret=True)]


def _stagedoor_unit(plan: SystemdPlan, program: Program) -> str:
    return fill(
        "stagedoor.service",
        {"command": program.command, "user": plan.user or ""},
        _parts(plan, program) | {"managed" if plan.managed else "separate"},
    )


def _livekit_unit(plan: SystemdPlan) -> str:
    binary = plan.livekit_binary or LIVEKIT_PLACE
    program = Program(quoted(str(binary)), is_in_home(binary))
    return fill("livekit.service", {"command": program.command, "user": plan.user or ""}, _parts(plan, program))


def _parts(plan: SystemdPlan, program: Program) -> set[str]:
    return {"named" if plan.user else "dynamic", "home" if program.in_home else "nohome"}


def _environment(plan: SystemdPlan, network: Network) -> dict[str, str]:
    settings = plan.settings
    values = {"STAGEDOOR_HTTP": settings.http}
    if settings.public_url is not None:
        values["STAGEDOOR_PUBLIC_URL"] = settings.public_url
    if settings.database_url is not None:
        values["STAGEDOOR_DATABASE_URL"] = settings.database_url.get_secret_value()
    managed = network.managed
    if plan.managed and managed is not None:
        if not managed.loopback:
            values["STAGEDOOR_NODE_IP"] = managed.node_ip
    else:
        values |= {
            "LIVEKIT_API_HOST": network.endpoint.url,
            "LIVEKIT_API_KEY": network.endpoint.api_key,
            "LIVEKIT_API_SECRET": network.endpoint.api_secret,
            "STAGEDOOR_LIVEKIT_PUBLIC_URL": settings.livekit_public_url or network.endpoint.client_url,
        }
    return values
