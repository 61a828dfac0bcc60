"""The programs that unit files start, and what a unit must leave open so that it can."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stagedoor.kernel.errors import CallerMistake

LIVEKIT_PLACE: Final = Path("/usr/local/bin/livekit-server")
_HOMES: Final = ("/home", "/root", "/run/user")


@dataclass(frozen=True, slots=True)
class Program:
    """A program of a unit.

    Attributes:
        command: For ExecStart, quoted as systemd reads it.
        in_home: It lies in a home directory, which ProtectHome=yes would hide.
    """

    command: str
    in_home: bool


def this_installation() -> Program:
    """The `stagedoor` beside this interpreter; the interpreter itself when there is none."""
    interpreter = Path(sys.executable)
    script = interpreter.with_name("stagedoor")
    if script.is_file():
        return Program(quoted(str(script)), is_in_home(script) or is_in_home(interpreter))
    return Program(f"{quoted(str(interpreter))} -m stagedoor", is_in_home(interpreter))


def is_in_home(path: Path) -> bool:
    """Whether the file, or what it links to, lies in a home."""
    return any(str(place).startswith(f"{home}/") for place in (path, path.resolve()) for home in _HOMES)


def quoted(argument: str) -> str:
    """An argument of ExecStart (systemd.service(5), systemd.unit(5) on specifiers).

    Raises:
        CallerMistake: It has a line break or another control character, which would be another line of the unit.
    """
    if not argument.isprintable():
        raise CallerMistake(f"A unit cannot name {argument!r}: it has characters that are not shown.")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(escaped) & set(" ;'\"\\") else escaped
