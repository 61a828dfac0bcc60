"""From a webhook's answer to the event in the hands of 200 live-feed clients, beside a feed from memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.support import events, servers
from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.followers import Followed, Following
from benchmarks.support.load import run_program
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say
from benchmarks.support.stagedoor import stagedoor

CLIENTS: Final = 200
EVENTS: Final = 300
PER_SECOND: Final = 20.0
_KEY, _SECRET = "APIrival", "a-secret-that-is-long-enough-for-livekit"


@dataclass(frozen=True, slots=True)
class _Round:
    followed: Followed
    per_cpu_second: float


def run(plan: Plan) -> list[Line]:
    """The figures."""
    ours: list[_Round] = []
    theirs: list[_Round] = []
    count = plan.scaled(EVENTS)
    rounds = 2 if plan.quick else 3
    with on_core(SERVER):
        starting = (stagedoor(plan.folder), servers.uvicorn("benchmarks.rivals.broadcasting:app"))
        with starting[0] as product, starting[1] as rival:
            token = product.product.api_key
            for _ in range(rounds):
                spec = _spec(product.port, token, product.key, product.secret, count)
                ours.append(_round("Stagedoor", spec, product.cpu))
                spec = _spec(rival.port, "", _KEY, _SECRET, count)
                theirs.append(_round("a feed from memory", spec, rival.cpu))
    return [
        _line("ack to 200 clients, p50", "ms", ours, theirs, lambda r: r.followed.after_p50_ms),
        _line("ack to 200 clients, p99", "ms", ours, theirs, lambda r: r.followed.after_p99_ms),
        _line("request to 200 clients, p50", "ms", ours, theirs, lambda r: r.followed.p50_ms),
        _line("request to 200 clients, p99", "ms", ours, theirs, lambda r: r.followed.p99_ms),
        _line("deliveries to 200 clients", "/CPU s", ours, theirs, lambda r: r.per_cpu_second),
    ]


def _line(figure: str, unit: str, ours: list[_Round], theirs: list[_Round], value: Callable[[_Round], float]) -> Line:
    return Line(figure, median(map(value, ours)), unit, "a feed from memory, Starlette", median(map(value, theirs)))


def _spec(port: int, token: str, key: str, secret: str, count: int) -> Following:
    room = events.new_room(f"live-{events.sid('feed')}")
    people = [events.new_person(f"mark-{number_}") for number_ in range(count)]
    requests = [
        events.request(key, secret, events.body("participant_joined", room, participant=person)) for person in people
    ]
    return Following(port, token, CLIENTS, PER_SECOND, requests)


def _round(name: str, spec: Following, cpu: Callable[[], float]) -> _Round:
    followed, spent = run_program("benchmarks.support.followers", spec, Followed, cpu)
    expected = CLIENTS * len(spec.requests)
    if followed.received != expected:
        raise RuntimeError(f"{name} delivered {followed.received} of {expected} events")
    done = _Round(followed, expected / max(spent, 0.01))
    say(
        f"  {name}: after the ack p50 {number(followed.after_p50_ms)} ms, p99 {number(followed.after_p99_ms)} ms; "
        f"after the request p50 {number(followed.p50_ms)} ms, p99 {number(followed.p99_ms)} ms; "
        f"{number(done.per_cpu_second)} deliveries per CPU second, clients busy {followed.busy:.0%}"
    )
    return done
