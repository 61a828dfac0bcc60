"""The table "Bounds" of docs/reference/security.md: each bound is set where and as it says, and has a test."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic.alias_generators import to_camel

from stagedoor.api.app_settings import SETTINGS
from stagedoor.settings.installation import Settings

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "stagedoor"
PAGE: Final = ROOT / "docs" / "reference" / "security.md"
UNITS: Final = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "minutes": 60, "hours": 3_600, "days": 86_400}
ARITHMETIC: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
    ast.Pow: operator.pow,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def rows() -> list[list[str]]:
    """The cells of each row: what, who, bound, where, test."""
    section = PAGE.read_text().partition("## Bounds\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ROWS: Final = rows()
IDS: Final = [row[0] for row in ROWS]


def test_there_is_a_table() -> None:
    assert len(ROWS) >= 20
    assert all(len(row) == 5 and all(row) for row in ROWS)
    assert len(set(IDS)) == len(IDS)
    assert sum("`test_" in line for line in PAGE.read_text().splitlines()) == len(ROWS), "a row stands elsewhere"


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_it_is_set_to_what_the_table_says(row: list[str]) -> None:
    said = numbers(row[2])
    places = re.findall(r"`([^`]+)`", row[3])
    assert places, "the row names no setting and no constant"
    for place in places:
        values = values_of(place)
        assert values, f"there is no {place}"
        assert said & values, f"{place} is {values}, and the table says {said}"


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_its_test_exists(row: list[str]) -> None:
    names = re.findall(r"`(test_\w+)`", row[4])
    assert names
    for name in names:
        assert name in TESTS, f"there is no {name}"


def numbers(text: str) -> set[float]:
    """The numbers in a cell, with their units: `64 KiB` is 65,536."""
    found = re.findall(r"(\d[\d,]*(?:\.\d+)?)(?: (\w+))?", text)
    return {float(number.replace(",", "")) * UNITS.get(unit, 1) for number, unit in found}


def values_of(place: str) -> set[float]:
    """The default of a setting (`api_max_body_bytes`) or of an app's (`cameraMaxFps`), or constants (`file.NAME`)."""
    if place in Settings.model_fields:
        default: Any = Settings.model_fields[place].default
        return {float(default)}
    defaults: dict[str, Any] = {to_camel(setting.name): setting.default for setting in SETTINGS}
    if place in defaults:
        return {float(defaults[place])}
    stem, _, name = place.rpartition(".")
    return {value for path in SOURCE.rglob(f"{stem}.py") for value in constants(path, name)}


def constants(path: Path, name: str) -> list[float]:
    """The values of the module's constants of that name, read and not imported."""
    targets: list[tuple[ast.expr, ast.expr | None]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.AnnAssign):
            targets.append((node.target, node.value))
        elif isinstance(node, ast.Assign):
            targets.extend((target, node.value) for target in node.targets)
    return [
        value
        for target, expression in targets
        if isinstance(target, ast.Name) and target.id == name and (value := evaluated(expression)) is not None
    ]


def evaluated(expression: ast.expr | None) -> float | None:
    """The number that an expression of literals makes."""
    match expression:
        case ast.Constant(value=int(number) | float(number)):
            return float(number)
        case ast.BinOp():
            left, right = evaluated(expression.left), evaluated(expression.right)
            if left is None or right is None:
                return None
            if isinstance(expression.op, ast.LShift):
                return float(int(left) << int(right))
            return float(ARITHMETIC[type(expression.op)](left, right))
        case _:
            return None


TESTS: Final = frozenset(
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), flags=re.M)
)
