"""Join tokens minted a second over HTTP with an API key, beside the least a server and a loop can do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from benchmarks.support import servers
from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.load import Driven, drive
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say
from benchmarks.support.stagedoor import stagedoor

TOKENS: Final = 15_000
_CREATED: Final = "201"


def run(plan: Plan) -> list[Line]:
    """The figures."""
    count = plan.scaled(TOKENS)
    ours: list[Driven] = []
    minimal: list[Driven] = []
    loop: list[float] = []
    with on_core(SERVER):
        starting = (stagedoor(plan.folder), servers.uvicorn("benchmarks.rivals.minimal:app"))
        with starting[0] as product, starting[1] as rival:
            for _ in range(plan.rounds):
                request = product.token_request()
                ours.append(_round("Stagedoor", product.port, request, product.cpu, count))
                minimal.append(_round("Starlette and AccessToken", rival.port, request, rival.cpu, count))
                loop.append(_loop(count))
                say(f"  AccessToken in a loop: {number(loop[-1])}/s")
    beside = "Starlette and AccessToken, no key, no database"
    return [
        Line("tokens over HTTP", _rate(ours), "/s", beside, _rate(minimal)),
        Line("tokens over HTTP", _per_cpu(ours), "/CPU s", beside, _per_cpu(minimal)),
        Line("token p50", median(d.measured.p50_ms for d in ours), "ms", beside, _p50(minimal)),
        Line("token p99", median(d.measured.p99_ms for d in ours), "ms", beside, _p99(minimal)),
        Line("tokens over HTTP", _per_cpu(ours), "/CPU s", "AccessToken in a loop", median(loop)),
    ]


def _round(name: str, port: int, request: bytes, cpu: Callable[[], float], count: int) -> Driven:
    driven = drive(port, [request], cpu, total=count)
    if set(driven.measured.statuses) != {_CREATED}:
        raise RuntimeError(f"{name} answered {driven.measured.statuses}")
    say(
        f"  {name}: {number(driven.rate)} tokens/s, {number(driven.per_cpu_second)} per CPU second, "
        f"p50 {number(driven.measured.p50_ms)} ms, p99 {number(driven.measured.p99_ms)} ms, "
        f"load generator busy {driven.measured.busy:.0%}"
    )
    return driven


def _loop(count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.rivals.minting", str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _rate(rounds: list[Driven]) -> float:
    return median(driven.rate for driven in rounds)


def _per_cpu(rounds: list[Driven]) -> float:
    return median(driven.per_cpu_second for driven in rounds)


def _p50(rounds: list[Driven]) -> float:
    return median(driven.measured.p50_ms for driven in rounds)


def _p99(rounds: list[Driven]) -> float:
    return median(driven.measured.p99_ms for driven in rounds)
