"""Durable webhook acknowledgements a second: a real `stagedoor up` under 64 connections of signed events.

Each answered event must be in the inbox when everything has stopped; a run that lost one fails.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from tests.support.postgres import find_binaries

from benchmarks.support import events, servers
from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.disk import durable_writes_per_second
from benchmarks.support.load import Driven, drive
from benchmarks.support.plan import Plan
from benchmarks.support.postgres import running_postgres
from benchmarks.support.report import Line, median, number, say, spread
from benchmarks.support.stagedoor import Stagedoor, count_stored, stagedoor

EVENTS: Final = 20_000
_OK: Final = "200"


class EventsLost(Exception):
    """Events were acknowledged and are not in the database."""


@dataclass(slots=True)
class Target:
    """What events are sent to, and what came of it in each round.

    Attributes:
        settle: Waits until it has done what it does after an answer; the seconds that took.
        prefix: Of the events' rooms.
    """

    name: str
    port: int
    key: str
    secret: str
    cpu: Callable[[], float]
    settle: Callable[[], float] = lambda: 0.0
    prefix: str = "live"
    rounds: list[Driven] = field(default_factory=list[Driven])

    def acknowledged(self) -> int:
        return sum(driven.measured.statuses.get(_OK, 0) for driven in self.rounds)

    def rate(self) -> float:
        return median(driven.rate for driven in self.rounds)

    def per_cpu_second(self) -> float:
        return median(driven.per_cpu_second for driven in self.rounds)

    def p50(self) -> float:
        return median(driven.measured.p50_ms for driven in self.rounds)

    def p99(self) -> float:
        return median(driven.measured.p99_ms for driven in self.rounds)

    def run(self, count: int) -> None:
        """One round with events that nobody has seen before."""
        bodies = events.some(count, self.prefix)
        requests = [events.request(self.key, self.secret, body) for body in bodies]
        driven = drive(self.port, requests, self.cpu)
        self.rounds.append(driven)
        say(
            f"  {self.name}: {number(driven.rate)} acks/s, {number(driven.per_cpu_second)} per CPU second, "
            f"p50 {number(driven.measured.p50_ms)} ms, p99 {number(driven.measured.p99_ms)} ms, "
            f"load generator busy {driven.measured.busy:.0%}, answers {driven.measured.statuses}, "
            f"then {number(self.settle())} s until all was applied"
        )


def run(plan: Plan) -> list[Line]:
    """The figures."""
    stores: list[tuple[str, str, list[Target]]] = []
    with ExitStack() as stack:
        with on_core(SERVER):
            sqlite = stack.enter_context(stagedoor(plan.folder / "sqlite"))
            ours = [_ours("Stagedoor on SQLite", sqlite), _ours("the same, rooms of no app", sqlite, prefix="nobody")]
            stores.append(("SQLite", sqlite.database_url, ours))
            binaries = find_binaries()
            postgres: list[Target] = []
            if binaries is None:
                say("  There is no PostgreSQL here, so Stagedoor runs on SQLite only.")
            else:
                server = stack.enter_context(running_postgres(binaries, plan.folder))
                running = stack.enter_context(stagedoor(plan.folder / "postgresql", server.url))
                postgres.append(_ours("Stagedoor on PostgreSQL", running))
                stores.append(("PostgreSQL", server.url, postgres))
            rivals = _rivals(plan, stack)
            minimal = rivals[-2]
            limit = rivals[-1]
        writes: list[float] = []
        for _ in range(plan.rounds):
            for target in (*ours, *postgres, *rivals):
                target.run(plan.scaled(EVENTS))
            with on_core(SERVER):
                writes.append(durable_writes_per_second(plan.folder))
            say(f"  the disk: {number(writes[-1])} durable writes/s")
        for _, _, targets in stores:
            sum(target.settle() for target in targets)
        if binaries is not None:
            _stop_and_count(stores[1:])
    _stop_and_count(stores[:1])
    first = ours[0]
    say(f"  Stagedoor on SQLite moved from {spread([driven.rate for driven in first.rounds])} acks/s.")
    lines: list[Line] = []
    for target in (*ours, *postgres):
        for rival in rivals[:-1]:
            lines += _beside(target, rival)
    disk = median(writes)
    lines.append(Line(f"{first.name}, durable events", first.rate(), "/s", "durable writes of the disk", disk))
    lines.append(Line("the fastest rival above", max(r.rate() for r in rivals[:-1]), "/s", limit.name, limit.rate()))
    say(f"  {minimal.name}: p50 {number(minimal.p50())} ms, p99 {number(minimal.p99())} ms")
    return lines


def _ours(name: str, running: Stagedoor, prefix: str = "live") -> Target:
    return Target(
        name, running.port, running.key, running.secret, running.cpu, running.wait_until_applied, prefix=prefix
    )


def _rivals(plan: Plan, stack: ExitStack) -> list[Target]:
    """The handler in Go if there is Go, Starlette alone, and last the load generator's own limit."""
    key, secret = "APIrival", "a-secret-that-is-long-enough-for-livekit"
    found: list[Target] = []
    binary = servers.build_go_handler(plan.folder)
    if binary is None:
        say("  There is no Go here, so there is no handler in Go to compare with.")
    else:
        go = stack.enter_context(servers.go_handler(binary, key, secret))
        found.append(Target("a handler in Go, in memory", go.port, key, secret, go.cpu))
    minimal = stack.enter_context(servers.uvicorn("benchmarks.rivals.minimal:app"))
    found.append(Target("Starlette answering 200", minimal.port, key, secret, minimal.cpu))
    answering = stack.enter_context(servers.module("benchmarks.rivals.answering"))
    found.append(Target("the load generator's limit", answering.port, key, secret, answering.cpu))
    return found


def _beside(ours: Target, rival: Target) -> list[Line]:
    return [
        Line(f"{ours.name}, acks", ours.rate(), "/s", rival.name, rival.rate()),
        Line(f"{ours.name}, acks", ours.per_cpu_second(), "/CPU s", rival.name, rival.per_cpu_second()),
        Line(f"{ours.name}, ack p50", ours.p50(), "ms", rival.name, rival.p50()),
        Line(f"{ours.name}, ack p99", ours.p99(), "ms", rival.name, rival.p99()),
    ]


def _stop_and_count(stores: list[tuple[str, str, list[Target]]]) -> None:
    for name, url, targets in stores:
        acknowledged = sum(target.acknowledged() for target in targets)
        stored = count_stored(url)
        say(f"  {name}: {acknowledged:,} events acknowledged, {stored:,} in the inbox")
        if stored < acknowledged:
            raise EventsLost(f"{acknowledged - stored} acknowledged events are not in {name}")
