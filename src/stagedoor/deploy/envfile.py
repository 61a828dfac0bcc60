"""Environment files that systemd, Docker Compose and a shell's `.` read alike: NAME=VALUE, nothing to be quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stagedoor.kernel.errors import CallerMistake
from stagedoor.kernel.secretfile import write_private

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.,:/@%+=~\[\]-]*")


def line(name: str, value: str) -> str:
    """One line.

    Raises:
        CallerMistake: The three readers would understand the value differently.
    """
    if not _PLAIN.fullmatch(value):
        raise CallerMistake(
            f"The value for {name} has a character that shells, systemd and Docker Compose read differently; use"
            " letters, digits and _ . , : / @ % + = ~ - only."
        )
    return f"{name}={value}\n"


def document(head: str, values: Mapping[str, str]) -> str:
    """A whole file, after a comment of one line."""
    return f"# {head}\n" + "".join(line(name, value) for name, value in values.items())


def read(path: Path) -> dict[str, str]:
    """The variables in the file; none when it does not exist."""
    if not path.is_file():
        return {}
    lines = (text.strip() for text in path.read_text("utf-8").splitlines())
    pairs = (text.partition("=") for text in lines if text and not text.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, separator, value in pairs if separator}


def complete(path: Path, wanted: Mapping[str, str]) -> list[str]:
    """Add to the existing file what it lacks, change nothing that it has, and return the added names."""
    missing = {name: value for name, value in wanted.items() if name not in read(path)}
    if missing:
        before = path.read_text("utf-8")
        lines = "".join(line(name, value) for name, value in missing.items())
        write_private(path, before + ("" if before.endswith("\n") or not before else "\n") + lines)
    return list(missing)
