"""A Redis of one's own on a free loopback port, which can be stopped and started, and thrown away."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.support import slow
from tests.support.ports import free_ports

START_S: Final = 15.0
NEEDED: Final = "These tests need redis-server: install the package `redis-server`."


class RedisServer:
    """One server, which keeps nothing.

    Attributes:
        port: The loopback port it listens on, also after it was stopped and started.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (self.port,) = free_ports(1)
        self.asking: Any = Redis(port=self.port, password="secret", retry=Retry(NoBackoff(), 0))

    @property
    def url(self) -> str:
        return f"redis://:secret@127.0.0.1:{self.port}/3"

    def start(self) -> None:
        """Start it and wait until it answers."""
        slow.require_slow()
        program = shutil.which("redis-server")
        assert program is not None, NEEDED
        options = {"port": self.port, "bind": "127.0.0.1", "requirepass": "secret", "dir": self._folder}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *arguments, "--save", "", "--appendonly", "no"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def freeze(self) -> None:
        """Have it answer nothing while its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def listened(self) -> set[str]:
        """The rooms whose frames have a subscriber."""
        found: Iterable[bytes] = self.asking.pubsub_channels("stagedoor:*:frames:*")
        return {channel.decode().split(":frames:")[1] for channel in found}

    def nodes(self) -> int:
        """How many nodes are in touch with each other."""
        ((_, count),) = self.asking.pubsub_numsub("stagedoor:3:cameras")
        return int(count)

    def close(self) -> None:
        self.stop()
        self.asking.close()

    def _answers(self) -> bool:
        try:
            return bool(self.asking.ping())
        except RedisError:
            return False


@contextmanager
def running_redis() -> Generator[RedisServer]:
    """A server that runs as long as the block."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-redis-") as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()
