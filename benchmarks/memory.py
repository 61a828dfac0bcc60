"""Memory of an idle Stagedoor and its LiveKit, fresh and after a thousand webhooks."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from typing import Final

from benchmarks.support import events, servers
from benchmarks.support.load import drive
from benchmarks.support.plan import Plan
from benchmarks.support.processes import pss_mb
from benchmarks.support.report import Line, median, number, say
from benchmarks.support.stagedoor import stagedoor

EVENTS: Final = 1_000
_SETTLE_SECONDS: Final = 1.0


def run(plan: Plan) -> list[Line]:
    """The figures, the medians of two runs or more."""
    fresh: list[float] = []
    used: list[float] = []
    livekit: list[float] = []
    hello: list[float] = []
    python: list[float] = []
    for round_ in range(2 if plan.quick else 3):
        with stagedoor(plan.folder / f"round-{round_}") as product:
            time.sleep(_SETTLE_SECONDS)
            fresh.append(pss_mb(product.product.pid))
            requests = [events.request(product.key, product.secret, body) for body in events.some(EVENTS)]
            drive(product.port, requests, product.cpu)
            product.wait_until_applied()
            time.sleep(_SETTLE_SECONDS)
            used.append(pss_mb(product.product.pid))
            livekit.append(pss_mb(product.product.livekit_pid))
        hello.append(_hello())
        python.append(_python())
        say(
            f"  Stagedoor {number(fresh[-1])} MB, after {len(requests):,} webhooks {number(used[-1])} MB; LiveKit "
            f"{number(livekit[-1])} MB; FastAPI saying hello {number(hello[-1])} MB; Python {number(python[-1])} MB"
        )
    return [
        Line("idle memory", median(fresh), "MB", "its LiveKit", median(livekit)),
        Line("idle memory", median(fresh), "MB", "FastAPI saying hello", median(hello)),
        Line("idle memory", median(fresh), "MB", "Python alone", median(python)),
        Line("idle memory after 1,000 webhooks", median(used), "MB", "before them", median(fresh)),
    ]


def _hello() -> float:
    with servers.uvicorn("benchmarks.rivals.hello:app") as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=10) as answer:
            answer.read()
        time.sleep(_SETTLE_SECONDS)
        return pss_mb(server.pid)


def _python() -> float:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = pss_mb(process.pid)
        process.communicate(b"\n")
    return found
