"""How long LiveKit waits for an acknowledgement while a consumer of our own webhooks takes ten seconds for each.

Three installations take turns under one steady load: without a consumer, with one that answers at once, and with the
slow one. The first shows what fan-out costs at all, the second what a consumer's slowness adds.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from benchmarks.support import events, servers
from benchmarks.support.cores import LOAD, SERVER, on_core
from benchmarks.support.load import drive
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say, spread
from benchmarks.support.stagedoor import Stagedoor, stagedoor

EVENTS: Final = 1_500
PER_SECOND: Final = 100.0
WARM_UP: Final = 60
"""More than deliveries that are under way at a time, so that from the first round on all of the slow ones hang."""

SLOW_SECONDS: Final = 10.0
_SETTLE_SECONDS: Final = 120.0
_SETTINGS: Final = {
    "STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS": "true",
    "STAGEDOOR_WEBHOOK_TIMEOUT": "60",
}


@dataclass(slots=True)
class _Target:
    """An installation, and what its acknowledgements took in each round.

    Attributes:
        answers: Seconds that its consumer takes; `None` when it has none.
    """

    name: str
    running: Stagedoor
    answers: float | None
    p50: list[float] = field(default_factory=list[float])
    p99: list[float] = field(default_factory=list[float])

    def send(self, count: int) -> None:
        """Events at the steady pace, each of which must be acknowledged."""
        running = self.running
        requests = [events.request(running.key, running.secret, body) for body in events.some(count)]
        driven = drive(running.port, requests, running.cpu, per_second=PER_SECOND)
        if set(driven.measured.statuses) != {"200"}:
            raise RuntimeError(f"{self.name} answered {driven.measured.statuses}")
        self.p50.append(driven.measured.p50_ms)
        self.p99.append(driven.measured.p99_ms)

    def settle(self) -> None:
        """Wait until it leaves the core to the others; the slow one's deliveries go on, which is hardly any work."""
        self.running.wait_until_applied()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self.answers == 0 and self.open_deliveries():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not come to an end with its deliveries")
            time.sleep(0.1)

    def open_deliveries(self) -> int:
        """How many jobs deliver just now, or 100 for more."""
        jobs = [self.running.get(f"/jobs?kind=webhook.deliver&state={state}&limit=100") for state in _UNFINISHED]
        return len([job for found in jobs for job in found])


_UNFINISHED: Final = ("queued", "running")


def run(plan: Plan) -> list[Line]:
    """The figures."""
    with ExitStack() as stack:
        targets = [
            _target(plan, stack, "no consumer", None),
            _target(plan, stack, "a consumer that answers at once", 0.0),
            _target(plan, stack, f"a consumer that takes {SLOW_SECONDS:g} s", SLOW_SECONDS),
        ]
        bare, quick, slow = targets
        for target in targets:
            target.send(WARM_UP)
            target.p50.clear()
            target.p99.clear()
            target.settle()
        for _ in range(plan.rounds):
            for target in targets:
                if target is slow and not target.open_deliveries():
                    raise RuntimeError("the slow consumer is not slow")
                target.send(plan.scaled(EVENTS))
                target.settle()
                say(f"  {target.name}: p50 {number(target.p50[-1])} ms, p99 {number(target.p99[-1])} ms")
    for target in targets:
        say(f"  {target.name}: p99 moved from {spread(target.p99)} ms")
    return [
        Line(f"ack {what}, {slow.name}", median(ours), "ms", beside.name, median(theirs))
        for beside in (quick, bare)
        for what, ours, theirs in (("p50", slow.p50, beside.p50), ("p99", slow.p99, beside.p99))
    ]


def _target(plan: Plan, stack: ExitStack, name: str, answers: float | None) -> _Target:
    with on_core(SERVER):
        running = stack.enter_context(stagedoor(plan.folder / str(answers), **_SETTINGS))
    if answers is not None:
        with on_core(LOAD):
            consumer = stack.enter_context(servers.module("benchmarks.support.consumer", str(answers)))
        running.post("/apps/live/webhooks", {"url": f"http://127.0.0.1:{consumer.port}/"})
    return _Target(name, running, answers)
