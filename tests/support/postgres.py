"""A PostgreSQL server of one's own on a free loopback port, thrown away afterwards."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blockbuster import BlockBuster

from tests.support import slow
from tests.support.ports import free_ports

START_S: Final = 30.0
NEEDED: Final = "These tests need PostgreSQL's server programs: install the package `postgresql`, 13 or later."
UNTIL_WE_SAY: Final = '"$@" & read -r how || how=QUIT; kill -s "$how" $!; wait $!'
"""A shell that has the server end when we name a signal, or when we are gone: killed tests leave no server behind."""
USERS: Final = ("postgres", "nobody")
"""Who the server runs as when we are root, which it refuses to be."""


class PostgresServer:
    """One server and its files.

    Attributes:
        port: The loopback port it listens on.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        help_text = subprocess.run([binaries / "createdb", "--help"], capture_output=True, check=True).stdout
        self._how = ["--strategy", "file_copy"] if b"--strategy" in help_text else []  # a third of the time, since 15
        (self.port,) = free_ports(1)

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://stagedoor:secret@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make its files."""
        password = self._folder / "password"
        password.write_text("secret")
        for path in (self._folder, password):
            if user := _user():
                shutil.chown(path, user=user)
        self._call(
            "initdb", "--pgdata", str(self._folder / "data"),
            "--username", "stagedoor", "--pwfile", str(password), "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers."""
        slow.require_slow()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "deadlock_timeout": "200ms",
            "fsync": "off",  # no test cuts the machine's power
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", UNTIL_WE_SAY, "sh", self._binaries / "postgres", "-D", self._folder / "data", *settings],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd="/",
                user=_user(),
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it as an impatient operator would: connections are cut, the files stay whole."""
        if self._process is not None:
            self._process.communicate(f"{how.name.removeprefix('SIG')}\n".encode(), timeout=START_S)
            self._process = None

    def create_database(self, template: str = "template1") -> str:
        """Make an empty database or a copy of one without connections, and return its URL."""
        name = f"test_{next(self._numbers)}"
        self._call("createdb", "--maintenance-db", self.url(), "--template", template, *self._how, name)
        return self.url(name)

    def _answers(self) -> bool:
        command = [str(self._binaries / "pg_isready"), "--quiet", "--dbname", self.url()]
        return subprocess.run(command, check=False).returncode == 0

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=_user(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr}")


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    """A server that runs as long as the block.

    Raises:
        RuntimeError: There is no PostgreSQL; the message says what to do.
    """
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError(NEEDED)
    folder = Path(tempfile.mkdtemp(prefix="stagedoor-postgres-"))
    server = PostgresServer(binaries, folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)  # its files are of no more use
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path | None:
    """The folder of the newest server programs; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.insert(0, Path(on_path).resolve().parent)
    programs = ("initdb", "postgres", "createdb", "pg_isready")
    return next(
        (folder for folder in reversed(folders) if all((folder / program).exists() for program in programs)),
        None,
    )


def permit_connecting(blockbuster: BlockBuster) -> None:
    """Let asyncpg look for certificates where libpq does.

    It does so on the event loop: a few `stat`s when a connection is made, none while it is used (asyncpg 0.32).
    """
    for function in blockbuster.functions.values():
        function.can_block_in("asyncpg/connect_utils.py", {"_parse_connect_dsn_and_args"})


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = Path("/etc/passwd").read_text().splitlines()
    return next((user for user in USERS if any(line.startswith(f"{user}:") for line in known)), None)
