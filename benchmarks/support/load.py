"""Starting a program of load on its core, and measuring what the server spends meanwhile."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from benchmarks.support.cores import LOAD, on_core
from benchmarks.support.generator import Measured, Spec

T = TypeVar("T")

CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Driven:
    """What the load measured, and what it cost the server.

    Attributes:
        cpu: CPU seconds of the server while the load ran.
    """

    measured: Measured
    cpu: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.measured.rate

    @property
    def per_cpu_second(self) -> float:
        """Answers for each CPU second of the server."""
        return sum(self.measured.statuses.values()) / max(self.cpu, 0.01)


def drive(
    port: int,
    requests: Sequence[bytes],
    cpu: Callable[[], float],
    *,
    total: int = 0,
    connections: int = CONNECTIONS,
    per_second: float = 0.0,
) -> Driven:
    """Send requests, each once, or `total` of them over and over.

    Args:
        port: Of the server, on loopback.
        requests: Whole HTTP requests.
        cpu: The CPU seconds that the server has used so far.
        total: How many to send.
        connections: How many wait for an answer at a time.
        per_second: A steady pace; as fast as the answers come by default.
    """
    spec = Spec(port, connections, total or len(requests), list(requests), per_second)
    measured, spent = run_program("benchmarks.support.generator", spec, Measured, cpu)
    return Driven(measured, spent)


def run_program(module: str, spec: Any, answer: type[T], cpu: Callable[[], float]) -> tuple[T, float]:
    """Run a program of load that says `ready`, waits for a line and prints its answer.

    Returns:
        Its answer, and the CPU seconds that `cpu` grew by from the line to the answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec"
        file.write_bytes(msgspec.msgpack.encode(spec))
        with on_core(LOAD):
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{module} could not begin")
            before = cpu()
            process.stdin.write(b"go\n")
            process.stdin.flush()
            line = process.stdout.readline()
            spent = cpu() - before
    if not line:
        raise RuntimeError(f"{module} ended without an answer")
    return msgspec.json.decode(line, type=answer), spent
