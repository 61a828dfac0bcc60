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

EVENTS: Final = 10_000
ONE_BY_ONE: Final = 500
_MORE_FOR_RIVALS: Final = 3
"""They are so fast that they need more events for a time that can be measured."""
_OK: Final = "200"


class EventsLost(Exception):
    """Events were acknowledged and are not in the database."""


@dataclass(slots=True)
class Target:
    """What events are sent to, and what came of it in each round.

    Attributes:
        alone: Rounds in which one connection sent one event after the other, as an unhurried LiveKit does.
        settle: Waits until it has done what it does after an answer; the seconds that took.
        prefix: Of the events' rooms.
        times: How many times the usual number of events it is sent.
    """

    name: str
    port: int
    key: str
    secret: str
    cpu: Callable[[], float]
    settle: Callable[[], float] = lambda: 0.0
    prefix: str = "live"
    times: int = 1
    rounds: list[Driven] = field(default_factory=list[Driven])
    settled: list[float] = field(default_factory=list[float])
    alone: list[Driven] = field(default_factory=list[Driven])

    def acknowledged(self) -> int:
        return sum(driven.measured.statuses.get(_OK, 0) for driven in (*self.rounds, *self.alone))

    def rate(self) -> float:
        return median(driven.rate for driven in self.rounds)

    def per_cpu_second(self) -> float:
        return median(driven.per_cpu_second for driven in self.rounds)

    def p50(self) -> float:
        return median(driven.measured.p50_ms for driven in self.rounds)

    def p99(self) -> float:
        return median(driven.measured.p99_ms for driven in self.rounds)

    def applied_rate(self) -> float:
        """Events a second from the first request until all were applied."""
        return median(
            sum(driven.measured.statuses.values()) / (driven.measured.seconds + settled)
            for driven, settled in zip(self.rounds, self.settled, strict=True)
        )

    def p50_alone(self) -> float:
        return median(driven.measured.p50_ms for driven in self.alone)

    def _requests(self, count: int) -> list[bytes]:
        return [events.request(self.key, self.secret, body) for body in events.some(count, self.prefix)]

    def run(self, plan: Plan) -> None:
        """One round with events that were not sent before."""
        self.alone.append(drive(self.port, self._requests(plan.scaled(ONE_BY_ONE)), self.cpu, connections=1))
        self.settle()
        requests = self._requests(plan.scaled(EVENTS) * self.times)
        driven = drive(self.port, requests, self.cpu)
        if set(driven.measured.statuses) != {_OK}:
            raise RuntimeError(f"{self.name} answered {driven.measured.statuses}")
        self.rounds.append(driven)
        self.settled.append(self.settle())
        say(
            f"  {self.name}: {number(driven.rate)} acks/s, {number(driven.per_cpu_second)} per CPU second, "
            f"p50 {number(driven.measured.p50_ms)} ms, p99 {number(driven.measured.p99_ms)} ms, "
            f"one by one p50 {number(self.alone[-1].measured.p50_ms)} ms, "
            f"load generator busy {driven.measured.busy:.0%}, "
            f"then {number(self.settled[-1])} s until all was applied"
        )


def run(plan: Plan) -> list[Line]:
    """The figures."""
    stores: list[tuple[str, Stagedoor, list[Target]]] = []
    with ExitStack() as stack:
        with on_core(SERVER):
            sqlite = stack.enter_context(stagedoor(plan.folder / "sqlite"))
            ours = [
                _ours("Stagedoor on SQLite", sqlite),
                _ours("the same, rooms of no app", sqlite, prefix="unclaimed"),
            ]
            stores.append(("SQLite", sqlite, ours))
            binaries = find_binaries()
            postgres: list[Target] = []
            if binaries is None:
                say("  There is no PostgreSQL here, so Stagedoor runs on SQLite only.")
            else:
                server = stack.enter_context(running_postgres(binaries, plan.folder))
                running = stack.enter_context(stagedoor(plan.folder / "postgresql", server.url))
                postgres.append(_ours("Stagedoor on PostgreSQL", running))
                stores.append(("PostgreSQL", running, postgres))
            *rivals, limit = _rivals(plan, stack)
        writes: list[float] = []
        for _ in range(plan.rounds):
            for target in (*ours, *postgres, *rivals, limit):
                target.run(plan)
            with on_core(SERVER):
                writes.append(durable_writes_per_second(plan.folder))
            say(f"  the disk: {number(writes[-1])} durable writes/s")
        _stop_and_count(stores)
    first, bare = ours[0], rivals[-1]
    say(f"  {first.name} moved from {spread([driven.rate for driven in first.rounds])} acks/s.")
    say(
        f"  The load generator alone reaches {number(limit.rate())}/s, "
        f"{number(limit.rate() / max(rival.rate() for rival in rivals))} times the fastest of the others."
    )
    lines = [line for rival in rivals[:-1] for target in (*ours, *postgres) for line in _beside(target, rival)]
    lines += [
        Line(f"{target.name}, acks", target.per_cpu_second(), "/CPU s", bare.name, bare.per_cpu_second())
        for target in (*ours, *postgres)
    ]
    lines.append(Line(f"{first.name}, acks", first.rate(), "/s", "durable writes of the disk", median(writes)))
    lines += [
        Line(f"{target.name}, acked and applied", target.applied_rate(), "/s", "its acks", target.rate())
        for target in (first, *postgres)
    ]
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
        found.append(Target("a handler in Go, in memory", go.port, key, secret, go.cpu, times=_MORE_FOR_RIVALS))
    minimal = stack.enter_context(servers.uvicorn("benchmarks.rivals.minimal:app"))
    found.append(Target("Starlette answering 200", minimal.port, key, secret, minimal.cpu, times=_MORE_FOR_RIVALS))
    answering = stack.enter_context(servers.module("benchmarks.rivals.answering"))
    name = "the load generator's limit"
    found.append(Target(name, answering.port, key, secret, answering.cpu, times=_MORE_FOR_RIVALS))
    return found


def _beside(ours: Target, rival: Target) -> list[Line]:
    return [
        Line(f"{ours.name}, acks", ours.rate(), "/s", rival.name, rival.rate()),
        Line(f"{ours.name}, acks", ours.per_cpu_second(), "/CPU s", rival.name, rival.per_cpu_second()),
        Line(f"{ours.name}, one by one p50", ours.p50_alone(), "ms", rival.name, rival.p50_alone()),
        Line(f"{ours.name}, ack p50", ours.p50(), "ms", rival.name, rival.p50()),
        Line(f"{ours.name}, ack p99", ours.p99(), "ms", rival.name, rival.p99()),
    ]


def _stop_and_count(stores: list[tuple[str, Stagedoor, list[Target]]]) -> None:
    """Stop each Stagedoor, and look into its database, which must still be there."""
    for name, running, targets in stores:
        running.product.stop()
        acknowledged = sum(target.acknowledged() for target in targets)
        stored = count_stored(running.database_url)
        say(f"  {name}: {acknowledged:,} events acknowledged, {stored:,} in the inbox")
        if stored < acknowledged:
            raise EventsLost(f"{acknowledged - stored} acknowledged events are not in {name}")
