"""What verbs print: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH: Final = 240
_JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that scripts and emoji are written with, and that move nothing."""


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, default=str))


def print_table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Rows under the names of their columns, as `state.status` those in a field; nothing is cut off, because ids are
    there to be copied.

    Cells hold what others wrote: they are no markup, and what would move the cursor is shown instead.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_cell(_field(row, column)))) for column in columns))
    console().print(table)


def console() -> Console:
    """Standard output as wide as the terminal, or wide enough for a line per row where there is none."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def visible(text: str) -> str:
    """The text with what a terminal would obey written as an escape: control characters, line separators, characters
    that change the direction of writing, and halves of surrogates."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) if _obeyed(character) else character for character in text)


def _obeyed(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _field(row: dict[str, Any], column: str) -> Any:
    """The row's field; `state.status` is the field `status` of its field `state`."""
    value: Any = row
    for name in column.split("."):
        value = None if value is None else value.get(name)
    return value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
