"""The tiers of the package: the one list that makes the import contracts and the table in `CONTRIBUTING.md`.

A tier imports only what stands below it. In a tier, folders in one entry of `SIBLINGS` do not know each other.
`python tools/docs.py write` writes both.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "src" / "stagedoor"

TIERS: Final = (
    "cli",
    "doctor | deploy",
    "app",
    "api : pages",
    "services",
    "settings",
    "retention",
    "inbox | outbox | transcripts",
    "sources | outputs",
    "streams",
    "access",
    "rooms",
    "usage | audit | people",
    "tenancy",
    "mediaserver | jobs | events",
    "processes | storage",
    "kernel",
)
"""From the top down; `|` between independent siblings, `:` between siblings that may know each other."""

INSIDE: Final = {"sources": ("(pull)", "cameras | rtmp | whip", "ingress")}
"""Tiers of the folders in a folder, likewise; those in brackets may be absent."""

ALLOWED: Final = {
    "The edge alone knows the web framework": (("fastapi", "starlette", "uvicorn"), ("api", "pages", "app")),
    "LiveKit's SDK is known where LiveKit is talked to": (
        ("livekit",),
        ("access", "app", "doctor", "mediaserver", "outputs", "streams", "transcripts"),
    ),
}
"""Third parties' packages, and the folders that may import them."""

CHILDREN: Final = ("outputs.webrtc.child", "streams.media.child", "transcripts.child")
"""Modules that run as processes of their own: they know their protocol, and nothing of the product."""


def folders() -> list[str]:
    """All of them, from the top down."""
    return [folder for tier in TIERS for folder in tier.replace("|", ":").replace(" ", "").split(":")]


def contracts() -> str:
    """`.importlinter`."""
    lines = [
        "# Made by `python tools/docs.py write` from tools/tiers.py.",
        "[importlinter]",
        "root_package = stagedoor",
        "include_external_packages = True",
        "",
        "[importlinter:contract:tiers]",
        "name = Imports point down the tiers, and siblings do not know each other",
        "type = layers",
        "containers =",
        "    stagedoor",
        "layers =",
        *(f"    {tier}" for tier in TIERS),
        "exhaustive = True",
        "exhaustive_ignores =",
        "    __main__",
    ]
    for folder, layers in INSIDE.items():
        lines += [
            "",
            f"[importlinter:contract:{folder}]",
            f"name = Imports point down in {folder}",
            "type = layers",
            "containers =",
            f"    stagedoor.{folder}",
            "layers =",
            *(f"    {layer}" for layer in layers),
        ]
    for number, (name, (packages, allowed)) in enumerate(ALLOWED.items()):
        lines += _forbidden(f"allowed{number}", name, [f for f in folders() if f not in allowed], list(packages))
        lines += ["allow_indirect_imports = True"]
    for child in CHILDREN:
        own = child.split(".", maxsplit=1)[0]
        others = [f"stagedoor.{folder}" for folder in folders() if folder not in {own, "kernel"}]
        lines += _forbidden(child.replace(".", "_"), f"The process {child} knows its protocol alone", [child], others)
    return "\n".join(lines) + "\n"


def _forbidden(key: str, name: str, sources: list[str], packages: list[str]) -> list[str]:
    return [
        "",
        f"[importlinter:contract:{key}]",
        f"name = {name}",
        "type = forbidden",
        "source_modules =",
        *(f"    stagedoor.{source}" for source in sources),
        "forbidden_modules =",
        *(f"    {package}" for package in packages),
    ]


def table() -> str:
    """The rows of the table of folders in `CONTRIBUTING.md`."""
    rows: list[str] = []
    for tier in TIERS:
        names = tier.replace(":", "|").replace(" ", "").split("|")
        rows += [f"| `{name}/` | {_first_sentence(PACKAGE / name / '__init__.py')} |\n" for name in names]
    return "".join(rows)


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())
