"""From a webhook's answer to the event in the hands of 200 live-feed clients, beside a feed from memory."""

from __future__ import annotations

from collections.abc import Callable
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


def run(plan: Plan) -> list[Line]:
    """The figures."""
    ours: list[Followed] = []
    theirs: list[Followed] = []
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
    beside = "a feed from memory, Starlette"
    return [
        Line("ack to 200 clients, p50", median(r.after_p50_ms for r in ours), "ms", beside, _after_p50(theirs)),
        Line("ack to 200 clients, p99", median(r.after_p99_ms for r in ours), "ms", beside, _after_p99(theirs)),
        Line("request to 200 clients, p50", median(r.p50_ms for r in ours), "ms", beside, _p50(theirs)),
        Line("request to 200 clients, p99", median(r.p99_ms for r in ours), "ms", beside, _p99(theirs)),
    ]


def _spec(port: int, token: str, key: str, secret: str, count: int) -> Following:
    room = events.new_room(f"live-{events.sid('feed')}")
    people = [events.new_person(f"mark-{number_}") for number_ in range(count)]
    requests = [
        events.request(key, secret, events.body("participant_joined", room, participant=person)) for person in people
    ]
    return Following(port, token, CLIENTS, PER_SECOND, requests)


def _round(name: str, spec: Following, cpu: Callable[[], float]) -> Followed:
    followed, spent = run_program("benchmarks.support.followers", spec, Followed, cpu)
    expected = CLIENTS * len(spec.requests)
    if followed.received != expected:
        raise RuntimeError(f"{name} delivered {followed.received} of {expected} events")
    say(
        f"  {name}: after the ack p50 {number(followed.after_p50_ms)} ms, p99 {number(followed.after_p99_ms)} ms; "
        f"after the request p50 {number(followed.p50_ms)} ms, p99 {number(followed.p99_ms)} ms; "
        f"{number(expected / max(spent, 0.01))} deliveries per CPU second, clients busy {followed.busy:.0%}"
    )
    return followed


def _after_p50(rounds: list[Followed]) -> float:
    return median(followed.after_p50_ms for followed in rounds)


def _after_p99(rounds: list[Followed]) -> float:
    return median(followed.after_p99_ms for followed in rounds)


def _p50(rounds: list[Followed]) -> float:
    return median(followed.p50_ms for followed in rounds)


def _p99(rounds: list[Followed]) -> float:
    return median(followed.p99_ms for followed in rounds)
