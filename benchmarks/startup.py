"""From starting `stagedoor up` to its ready line and to its first answer, beside LiveKit alone and the imports no such
server does without; what a verb takes, and the memory of an instance with nothing to do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.support.product import ExternalLiveKit, RunningProduct, clean_environment

from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say

RIVAL: Final = "import fastapi, sqlalchemy, uvicorn"
"""What any server of this kind imports, and nothing of Stagedoor."""


def run(plan: Plan) -> list[Line]:
    """The figures."""
    figures: dict[str, list[float]] = defaultdict(list)
    for number_ in range(plan.rounds):
        folder = plan.folder / f"round-{number_}"
        folder.mkdir()
        _python(RIVAL)  # what it compiles is kept, as ours is by the first run
        figures["first"].append(_stagedoor(folder)[0])
        later, answered, memory, verb = _stagedoor(folder)
        figures["later"].append(later)
        figures["answered"].append(answered)
        figures["memory"].append(memory)
        figures["verb"].append(verb)
        figures["livekit"].append(_livekit(folder))
        figures["help"].append(_command("--help"))
        figures["rival"].append(_python(RIVAL))
        figures["bare"].append(_memory_of(RIVAL))
        figures["python"].append(_python("pass"))
        say("  " + ", ".join(f"{name} {number(values[-1])}" for name, values in figures.items()))
    middle = {name: median(values) for name, values in figures.items()}
    rival = "Python importing FastAPI, SQLAlchemy and uvicorn"
    return [
        Line("first run to ready", middle["first"], "s", "livekit-server to answering", middle["livekit"]),
        Line("later run to ready", middle["later"], "s", rival, middle["rival"]),
        Line("later run to its first answer", middle["answered"], "s", rival, middle["rival"]),
        Line("later run to ready", middle["later"], "s", "livekit-server to answering", middle["livekit"]),
        Line("stagedoor --help", middle["help"], "s", "Python alone", middle["python"]),
        Line("a verb, spoken to a running instance", middle["verb"], "s", "Python alone", middle["python"]),
        Line("memory when it has started", middle["memory"], "MB", "FastAPI, SQLAlchemy and uvicorn", middle["bare"]),
    ]


def _stagedoor(folder: Path) -> tuple[float, float, float, float]:
    """Seconds to ready and to the first answer of the API, megabytes of memory then, and seconds for a verb."""
    product = RunningProduct(folder)
    try:
        began = time.perf_counter()
        product.start()
        ready = time.perf_counter() - began
        secret: str = json.loads((product.data_dir / "operator.json").read_text())["secret"]
        request = urllib.request.Request(f"{product.url}/api/v1/apps", headers={"Authorization": f"Bearer {secret}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
        answered = time.perf_counter() - began
        verb = _command("rooms", "list", "--data-dir", str(product.data_dir))
        return ready, answered, _memory(product.pid), verb
    finally:
        product.close()


def _memory(pid: int) -> float:
    """Resident megabytes of the process alone, without LiveKit's."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _memory_of(code: str) -> float:
    """Resident megabytes of a Python that has run the code."""
    report = "print(open('/proc/self/status').read().partition('VmRSS:')[2].split()[0])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {report}"], check=True, capture_output=True, text=True, env=clean_environment()
    )
    return int(done.stdout) / 1024


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
    return _seconds("-c", code)


def _command(*words: str) -> float:
    return _seconds("-m", "stagedoor", *words)


def _seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=clean_environment())
    return time.perf_counter() - began
