"""Write, or check, the pages of the documentation that are made from the code.

python tools/docs.py write
python tools/docs.py check
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic.alias_generators import to_camel
from pydantic_core import PydanticUndefined

from stagedoor.access.roles import ROLE_SCOPES
from stagedoor.access.room_roles import DEFAULT_ROLES, ROLE_ACTIONS, ROOM_ACTIONS
from stagedoor.api.app_settings import SETTINGS, Setting
from stagedoor.events.catalogue import CATALOGUE, VERSION, EventType
from stagedoor.events.nouns import Event
from stagedoor.kernel.metrics import REGISTRY
from stagedoor.outbox.messages import message
from stagedoor.settings.installation import Settings
from stagedoor.settings.resolve import environment_names, former_names
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.scopes import SCOPES

sys.path.insert(0, str(Path(__file__).parent))
import tiers

DOCS: Final = Path(__file__).parents[1] / "docs"


def main() -> int:
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.stderr.write(f"usage: {sys.argv[0]} write|check\n")
        return 2
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text() != text
        if sys.argv[1] == "check"
    ]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(DOCS.parent)} is stale; run python tools/docs.py write\n")
    if sys.argv[1] == "write":
        for path, text in pages().items():
            path.write_text(text)
    return 1 if stale else 0


def pages() -> dict[Path, str]:
    """What each made page should hold."""
    security = DOCS / "reference" / "security.md"
    scopes = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in SCOPES.items())
    observability = DOCS / "reference" / "observability.md"
    contributing = DOCS.parent / "CONTRIBUTING.md"
    return {
        DOCS.parent / ".importlinter": tiers.contracts(),
        contributing: _between("folders", contributing.read_text(), tiers.table()),
        DOCS / "reference" / "settings.md": settings(),
        DOCS / "reference" / "events.md": events(),
        security: _between(
            "room roles",
            _between("roles", _between("scopes", security.read_text(), scopes), roles()),
            room_roles(),
        ),
        observability: _between("metrics", observability.read_text(), metrics()),
    }


def _between(name: str, text: str, made: str) -> str:
    return re.sub(
        rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda found: found[1] + made + found[2], text, flags=re.S
    )


def roles() -> str:
    """The rows of the table of roles."""
    rows: list[str] = []
    for role, scopes in ROLE_SCOPES.items():
        names = "everything, `admin` included" if scopes == frozenset(SCOPES) else _listed(scopes)
        rows.append(f"| {role} | {names} |\n")
    return "".join(rows)


def room_roles() -> str:
    """The rows of the table of what each role may do in a room."""
    rows: list[str] = []
    for action, meaning in ROOM_ACTIONS.items():
        marks = " | ".join("yes" if action in actions else "" for actions in ROLE_ACTIONS.values())
        rows.append(f"| `{action}` | {meaning} | {marks} |\n")
    given = {room: [role for role, found in DEFAULT_ROLES.items() if found == room] for room in ROLE_ACTIONS}
    names = " | ".join(", ".join(roles) or "none" for roles in given.values())
    return "".join(rows) + f"| by default | The role in every room of members with this role. | {names} |\n"


def _listed(scopes: frozenset[str]) -> str:
    return ", ".join(f"`{scope}`" for scope in SCOPES if scope in scopes)


def metrics() -> str:
    """The rows of the table of metrics of our own, which stand in the folder that each is of."""
    for file in sorted(tiers.PACKAGE.rglob("metrics.py")):
        import_module(".".join(("stagedoor", *file.relative_to(tiers.PACKAGE).with_suffix("").parts)))
    rows: list[str] = []
    for family in sorted(REGISTRY.collect(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith("stagedoor_"):
            rows.append(f"| `{name}` | {family.type} | {family.documentation} |\n")
    return "".join(rows)


def settings() -> str:
    """`docs/reference/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Values come from flags, then the environment, then a TOML file (`--config`, `STAGEDOOR_CONFIG`, or",
        "`stagedoor.toml` in the data folder), then the default. `stagedoor settings` shows what is in force and why.",
        "Times are seconds, or `90s`, `10m`, `1h`, `2d`.",
        "",
        "| setting | environment | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        variables = ", ".join(f"`{variable}`" for variable in environment_names(name))
        former = "".join(f" Was `{before}`, which goes on to work." for before in former_names(name))
        lines.append(f"| `{name}` | {variables} | {_default(name)} | {field.description}{former} |")
    lines += [
        "",
        "## Settings of an app",
        "",
        'Each app has its own: `PATCH /api/v1/apps/{app} {"settings": …}`.',
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
        *(f"| `{to_camel(setting.name)}` | {_shown(setting)} | {setting.meta.description} |" for setting in SETTINGS),
    ]
    return "\n".join(lines) + "\n"


def _shown(setting: Setting) -> str:
    default = setting.to_wire(setting.default)
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _default(name: str) -> str:
    folders = {"data_dir": "`~/.local/share/stagedoor`", "cache_dir": "`~/.cache/stagedoor`"}
    if name in folders:
        return folders[name]
    default: Any = Settings.model_fields[name].default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))  # pyright: ignore[reportUnknownArgumentType]
    return (
        ""
        if default in (None, "", PydanticUndefined)
        else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    )


def events() -> str:
    """`docs/reference/events.md`."""
    lines = [
        "# Events",
        "",
        "The types of events, in the catalogue's version "
        f"{VERSION}. A session's timeline and the live feed (`GET /api/v1/apps/{{app}}/events`) carry",
        "them with `detail`; an outgoing webhook's `data` has the fields of `detail` among its own (see",
        "[webhooks](../how-to/webhooks.md)). A field may be added to a type; those that are there keep their names and",
        "meanings.",
        "",
        "| type | meaning |",
        "|---|---|",
        *(f"| [`{name}`](#{name.replace('.', '')}) | {type_.meaning} |" for name, type_ in CATALOGUE.items()),
    ]
    for name, type_ in CATALOGUE.items():
        lines += ["", f"## {name}", "", type_.meaning, "", "```json", _example(name, type_), "```"]
    return "\n".join(lines) + "\n"


def _example(name: str, type_: EventType) -> str:
    """What a webhook's endpoint gets."""
    app = App("app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC", "org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC", "live", "live", 0, 0)
    of_a_session = name.partition(".")[0] not in {"webhook"}
    event = Event(
        seq=7,
        app_id=app.id,
        type=name,
        origin="api" if name.startswith(("room", "data", "webhook", "transcript", "camera", "ingress")) else "webhook",
        at=1_769_860_800_000,
        livekit_room="live-demo" if of_a_session else "",
        subject=type_.subject,
        session_id="ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC" if of_a_session else None,
        detail=type_.detail,
    )
    return json.dumps(json.loads(message(app, event)), indent=2)


if __name__ == "__main__":
    sys.exit(main())
