"""Figures side by side, and the table of a run."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One figure and what it stands beside.

    Attributes:
        figure: What was measured.
        ours: Stagedoor's value.
        unit: Of both values.
        beside: The rival or the limit.
        theirs: Its value, from the same run.
    """

    figure: str
    ours: float
    unit: str
    beside: str
    theirs: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else float("nan")


def say(sentence: str) -> None:
    """Report progress to the operator."""
    print(sentence, flush=True)


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The lowest and the highest round, for a reader who wonders how much it moved."""
    return f"{number(min(values))} to {number(max(values))}"


def table(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table, which is readable as it is."""
    rows = [("figure", "Stagedoor", "unit", "beside", "its figure", "ratio")]
    rows += [
        (line.figure, number(line.ours), line.unit, line.beside, number(line.theirs), f"{line.ratio:.3g}")
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def machine() -> str:
    """What the run was measured on, as far as it matters to the ratios."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), {platform.system()} {platform.release().split('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}, load average {load:.1f} at the start"
    )


def as_json(lines: Sequence[Line], *, quick: bool, machine: str) -> dict[str, Any]:
    """The run for a program."""
    return {
        "machine": machine,
        "quick": quick,
        "lines": [asdict(line) | {"ratio": line.ratio} for line in lines],
    }
