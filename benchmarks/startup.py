"""From starting `stagedoor up` to its ready line, LiveKit included, beside LiveKit alone."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.product import ExternalLiveKit, RunningProduct

from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say


def run(plan: Plan) -> list[Line]:
    """The figures."""
    first: list[float] = []
    later: list[float] = []
    livekit: list[float] = []
    imports: list[float] = []
    python: list[float] = []
    for number_ in range(plan.rounds):
        folder = plan.folder / f"round-{number_}"
        folder.mkdir()
        first.append(_stagedoor(folder))
        later.append(_stagedoor(folder))
        livekit.append(_livekit(folder))
        imports.append(_python("import stagedoor.cli"))
        python.append(_python("pass"))
        say(
            f"  first run {number(first[-1])} s, later run {number(later[-1])} s, LiveKit alone "
            f"{number(livekit[-1])} s, imports alone {number(imports[-1])} s, Python alone {number(python[-1])} s"
        )
    return [
        Line("first run to ready", median(first), "s", "livekit-server to answering", median(livekit)),
        Line("later run to ready", median(later), "s", "livekit-server to answering", median(livekit)),
        Line("later run to ready", median(later), "s", "Python importing Stagedoor", median(imports)),
        Line("Python importing Stagedoor", median(imports), "s", "Python alone", median(python)),
    ]


def _stagedoor(folder: Path) -> float:
    product = RunningProduct(folder)
    try:
        began = time.perf_counter()
        product.start()
        return time.perf_counter() - began
    finally:
        product.close()


def _livekit(folder: Path) -> float:
    server = ExternalLiveKit(folder, "http://127.0.0.1:9/webhooks/livekit")
    try:
        began = time.perf_counter()
        server.start()
        with urllib.request.urlopen(server.url, timeout=10):
            return time.perf_counter() - began
    finally:
        server.kill()


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began
