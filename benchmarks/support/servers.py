"""Rivals as running servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.ports import free_ports
from tests.support.product import wait_for_port

from benchmarks.support.processes import cpu_seconds, tree

_RIVALS: Final = Path(__file__).parent.parent / "rivals"
_END_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Server:
    """A program that listens on a loopback port."""

    port: int
    pid: int

    def cpu(self) -> float:
        """CPU seconds it and its children have used."""
        return cpu_seconds(tree(self.pid))


@contextmanager
def serving(command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> Generator[Server]:
    """`command`, from when it listens on `port` to the end of the block."""
    process = subprocess.Popen(command, env=os.environ | (environment or {}))
    try:
        wait_for_port(port)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def uvicorn(application: str) -> Generator[Server]:
    """An ASGI application under uvicorn, set as Stagedoor sets it."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--loop", "uvloop"]
    command += ["--http", "httptools", "--no-access-log", "--log-level", "error", "--lifespan", "off"]
    with serving(command, port) as server:
        yield server


@contextmanager
def module(name: str, *arguments: str) -> Generator[Server]:
    """A Python server that listens on the port it is given."""
    (port,) = free_ports(1)
    with serving([sys.executable, "-m", name, str(port), *arguments], port) as server:
        yield server


def build_go_handler(folder: Path) -> Path | None:
    """The webhook handler in Go, built into `folder`; `None` where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    binary = folder / "webhook-handler"
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    subprocess.run([go, "build", "-o", str(binary), "."], cwd=_RIVALS / "webhook_handler", env=environment, check=True)
    return binary


@contextmanager
def go_handler(binary: Path, key: str, secret: str) -> Generator[Server]:
    """The webhook handler in Go."""
    (port,) = free_ports(1)
    environment = {"PORT": str(port), "LIVEKIT_API_KEY": key, "LIVEKIT_API_SECRET": secret}
    with serving([str(binary)], port, environment) as server:
        yield server
