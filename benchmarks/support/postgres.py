"""A PostgreSQL that really makes commits durable, unlike the one of the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.ports import free_ports
from tests.support.postgres import USERS

from benchmarks.support.processes import cpu_seconds, tree

_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    url: str
    pid: int
    binaries: Path

    def create_database(self, name: str) -> str:
        """Make an empty database; its URL."""
        command = [str(self.binaries / "createdb"), "--maintenance-db", self.url, name]
        subprocess.run(command, check=True, cwd="/")
        return f"{self.url.rpartition('/')[0]}/{name}"

    def cpu(self) -> float:
        """CPU seconds of all its processes."""
        return cpu_seconds(tree(self.pid))


@contextmanager
def running_postgres(binaries: Path, folder: Path) -> Generator[Postgres]:
    """A server with its defaults, `fsync` among them, and files of its own beside `folder`."""
    user = _user()
    data = Path(tempfile.mkdtemp(prefix="stagedoor-postgres-", dir=folder.parent))
    if user is not None:
        shutil.chown(data, user=user)
    port = free_ports(1)[0]
    command = [str(binaries / "initdb"), "-D", str(data / "data"), "-U", "stagedoor", "-A", "trust", "-E", "UTF8"]
    try:
        subprocess.run(command, check=True, capture_output=True, cwd="/", user=user)
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data / "data"), *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=user,
        )
        try:
            _wait(binaries, port)
            yield Postgres(f"postgresql://stagedoor@127.0.0.1:{port}/postgres", server.pid, binaries)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(_START_SECONDS)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(binaries: Path, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    command = [str(binaries / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    while subprocess.run(command, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.05)


def _user() -> str | None:
    """Who the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((user for user in USERS if user in known), None)
