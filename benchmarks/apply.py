"""Stored events taken into the state, a second: a backlog as a crash leaves it, beside bare inserts into SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say

ROOMS: Final = 200
"""Times 26 events: a little over five thousand."""


def run(plan: Plan) -> list[Line]:
    """The figures."""
    applied: list[float] = []
    per_cpu: list[float] = []
    inserted: list[float] = []
    inserted_per_cpu: list[float] = []
    rooms = plan.scaled(ROOMS)
    for round_ in range(plan.rounds):
        folder = plan.folder / f"round-{round_}"
        folder.mkdir()
        ours = _program("benchmarks.support.backlog", folder, rooms)
        theirs = _program("benchmarks.rivals.inserting", folder, rooms)
        applied.append(ours["events"] / ours["seconds"])
        per_cpu.append(ours["events"] / ours["cpu"])
        inserted.append(theirs["rows"] / theirs["seconds"])
        inserted_per_cpu.append(theirs["rows"] / theirs["cpu"])
        say(
            f"  {ours['events']:,} events of {rooms} rooms applied, {number(applied[-1])}/s, {number(per_cpu[-1])} "
            f"per CPU second, which wrote {ours['written']:,} rows; bare inserts {number(inserted[-1])}/s"
        )
    beside = "bare SQLite inserts, 100 in a commit"
    return [
        Line("events applied", median(applied), "/s", beside, median(inserted)),
        Line("events applied", median(per_cpu), "/CPU s", beside, median(inserted_per_cpu)),
    ]


def _program(module: str, folder: Path, rooms: int) -> dict[str, Any]:
    with on_core(SERVER):
        done = subprocess.run(
            [sys.executable, "-m", module, str(folder), str(rooms)], check=True, stdout=subprocess.PIPE
        )
    return json.loads(done.stdout)
