"""Jobs a second, each asked for in a transaction of its own and done by a real worker, beside bare SQL."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.postgres import find_binaries

from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.jobbing import CALLERS
from benchmarks.support.plan import Plan
from benchmarks.support.postgres import Postgres, running_postgres
from benchmarks.support.report import Line, median, number, say

JOBS: Final = 5_000
WRITERS: Final = 6
"""Stagedoor's connections for writing to PostgreSQL."""


@dataclass(slots=True)
class _Engine:
    """An engine, and what each round came to.

    Attributes:
        url: Makes an empty database.
        at_once: Rows in a commit, or connections, of the rival.
    """

    name: str
    url: Callable[[], str]
    at_once: int
    rival: str
    ours: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    theirs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    alone: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def round(self, count: int) -> None:
        self.ours.append(_program("benchmarks.support.jobbing", self.url(), count))
        self.theirs.append(_program("benchmarks.rivals.updating", self.url(), count, self.at_once))
        self.alone.append(_program("benchmarks.rivals.updating", self.url(), count, 1))
        say(
            f"  {self.name}: {number(_rate(self.ours[-1]))} jobs/s, {number(_per_cpu(self.ours[-1]))} per CPU second, "
            f"asked for in {self.ours[-1]['asked'] / self.ours[-1]['seconds']:.0%} of the time; "
            f"{self.rival} {number(_rate(self.theirs[-1]))}/s, one by one {number(_rate(self.alone[-1]))}/s"
        )

    def lines(self) -> list[Line]:
        figure = f"jobs asked for and done, {self.name}"
        ours = median(map(_rate, self.ours))
        return [
            Line(figure, ours, "/s", "a bare insert and update, one by one", median(map(_rate, self.alone))),
            Line(figure, ours, "/s", self.rival, median(map(_rate, self.theirs))),
            Line(figure, median(map(_per_cpu, self.ours)), "/CPU s", self.rival, median(map(_per_cpu, self.theirs))),
        ]


def run(plan: Plan) -> list[Line]:
    """The figures."""
    with ExitStack() as stack:
        engines = [_sqlite(plan)]
        binaries = find_binaries()
        if binaries is None:
            say("  There is no PostgreSQL here, so the jobs are on SQLite only.")
        else:
            with on_core(SERVER):
                engines.append(_postgres(stack.enter_context(running_postgres(binaries, plan.folder))))
        for _ in range(plan.rounds):
            for engine in engines:
                engine.round(plan.scaled(JOBS))
    return [line for engine in engines for line in engine.lines()]


def _sqlite(plan: Plan) -> _Engine:
    numbers = itertools.count()
    rival = f"bare inserts and updates, {CALLERS} in a commit"
    return _Engine("SQLite", lambda: f"sqlite:///{plan.folder / f'{next(numbers)}.db'}", CALLERS, rival)


def _postgres(server: Postgres) -> _Engine:
    numbers = itertools.count()

    def url() -> str:
        return server.create_database(f"jobs_{next(numbers)}")

    return _Engine("PostgreSQL", url, WRITERS, f"bare inserts and updates, {WRITERS} connections")


def _rate(found: dict[str, Any]) -> float:
    return found["jobs"] / found["seconds"]


def _per_cpu(found: dict[str, Any]) -> float:
    """Of the program; the CPU seconds of PostgreSQL's server are not counted."""
    return found["jobs"] / found["cpu"]


def _program(module: str, *arguments: object) -> dict[str, Any]:
    with on_core(SERVER):
        command = [sys.executable, "-m", module, *map(str, arguments)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)
