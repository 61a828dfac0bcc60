"""A real Stagedoor in a process of its own, with a LiveKit that it runs or one that stands beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from livekit.api import LiveKitAPI
from yarl import URL

from stagedoor.mediaserver.config import ManagedConfig, render
from stagedoor.mediaserver.install import find_binary
from stagedoor.settings.resolve import resolve
from tests.support import slow
from tests.support.ports import free_ports

START_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 25.0
"""For what is sure to come: a busy machine is slow, and it costs nothing where it is not. Less than the half minute
between two comparisons with LiveKit, which would mend what a webhook should have done."""
KEY: Final = "APIexternal"
SECRET: Final = "a-secret-of-an-external-livekit-server"
Mode = Literal["managed", "external"]
_NOT_KEPT: Final = ("STAGEDOOR_", "LIVEKIT_", "OTEL_", "PYTHONDONTWRITEBYTECODE")
"""The last has each start of the product compile all its modules anew: twice the time."""


def livekit_binary() -> Path:
    """The real livekit-server that tests run; `make test` gets it first."""
    settings = resolve({}, os.environ).settings
    binary = find_binary(settings.livekit_binary, settings.cache_dir)
    assert binary is not None, "there is no livekit-server; run `stagedoor livekit install`"
    return binary


def clean_environment() -> dict[str, str]:
    """The environment without settings of the person who runs the tests.

    What Python compiles is kept, as it is wherever the product is installed: a start that compiles everything again
    takes three times as long.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_KEPT) or name == "STAGEDOOR_LIVEKIT_BINARY"
    }
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    # With `stagedoor` on the path, however the tests were started; and products side by side cannot all have port 1935.
    return kept | {"PYTHONUNBUFFERED": "1", "PATH": path, "STAGEDOOR_RTMP_LISTEN": "off"}


class ExternalLiveKit:
    """A LiveKit that Stagedoor does not run, with a webhook to it.

    Args:
        folder: Where its configuration and log go.
        webhook_url: Where it sends its events.
        overrides: Laid over its configuration.
    """

    def __init__(self, folder: Path, webhook_url: str, overrides: Mapping[str, object] | None = None) -> None:
        self.http_port, tcp_port, udp_port = free_ports(3)
        self._config = folder / "external-livekit.yaml"
        self._log = folder / "external-livekit.log"
        config = ManagedConfig(
            http_port=self.http_port,
            tcp_port=tcp_port,
            udp_port=udp_port,
            bind_addresses=("127.0.0.1",),
            node_ip="127.0.0.1",
            loopback=True,
            api_key=KEY,
            api_secret=SECRET,
            webhook_urls=(webhook_url,),
            overrides=overrides or {},
        )
        self._config.write_text(render(config))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        slow.require_slow()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(livekit_binary()), "--config", str(self._config)], stdout=log, stderr=log
            )
        wait_for_port(self.http_port)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def wait_for_port(port: int) -> None:
    """Return when something listens on the loopback port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}")


class RunningProduct:
    """`stagedoor up --json` as a child process.

    Attributes:
        ready: The line that it printed.
        api_key: The first run's admin key.
        external: The LiveKit that stands beside it; another may be put in its place before the start.
    """

    def __init__(self, folder: Path, mode: Mode = "managed", **environment: str) -> None:
        self.folder = folder
        self.mode: Mode = mode
        self.http_port, *self._livekit_ports = free_ports(4)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.ready: dict[str, Any] = {}
        self.api_key = ""
        self.external = ExternalLiveKit(folder, self.webhook_url) if mode == "external" else None
        self._environment = clean_environment() | environment
        self._process: subprocess.Popen[str] | None = None

    @property
    def webhook_url(self) -> str:
        """Where it takes LiveKit's events."""
        return f"{self.url}/webhooks/livekit"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def has_log(self) -> bool:
        """Whether it was started."""
        return (self.folder / "stagedoor.log").is_file()

    @property
    def log(self) -> str:
        return (self.folder / "stagedoor.log").read_text()

    @property
    def livekit_log(self) -> str:
        """What the LiveKit in use has logged; empty when it was never started."""
        managed = self.data_dir / "livekit" / "livekit.log"
        if self.external is not None:
            return self.external.log
        return managed.read_text() if managed.is_file() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def livekit_pid(self) -> int:
        """The process of the LiveKit in use."""
        if self.external is not None:
            return self.external.pid
        return int(json.loads((self.data_dir / "livekit" / "livekit.json").read_text())["pid"])

    @property
    def livekit_keys(self) -> tuple[str, str]:
        """The API key and secret of the LiveKit in use."""
        if self.external is not None:
            return KEY, SECRET
        kept = json.loads((self.data_dir / "secrets.json").read_text())
        return kept["livekit_api_key"], kept["livekit_api_secret"]

    def livekit(self) -> LiveKitAPI:
        """LiveKit's own API, as its command line would reach it."""
        return LiveKitAPI(self.ready["livekit"]["url"], *self.livekit_keys)

    @staticmethod
    def executable() -> list[str]:
        """The `stagedoor` command of this environment."""
        return [sys.executable, "-m", "stagedoor"]

    def command(self, *arguments: str) -> list[str]:
        """`stagedoor …` on this instance's data folder."""
        return [*self.executable(), *arguments, "--data-dir", str(self.data_dir)]

    def environment(self) -> dict[str, str]:
        given = dict(self._environment)
        if self.external is not None:
            given |= {
                "LIVEKIT_API_HOST": self.external.url,
                "LIVEKIT_API_KEY": KEY,
                "LIVEKIT_API_SECRET": SECRET,
            }
        return given

    def start(self) -> dict[str, Any]:
        """Start, and return the ready line when everything answers."""
        slow.require_slow()
        if self.external is not None and self.external._process is None:  # pyright: ignore[reportPrivateUsage]
            self.external.start()
        ports = ("--livekit-port", "--livekit-tcp-port", "--livekit-udp-port")
        arguments = ["up", "--json", "--http", f"127.0.0.1:{self.http_port}"]
        for flag, port in zip(ports, self._livekit_ports, strict=True):
            arguments += [flag, str(port)]
        with (self.folder / "stagedoor.log").open("a") as log:
            self._process = subprocess.Popen(
                self.command(*arguments),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment(),
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"Stagedoor did not become ready:\n{self.log}"
        self.ready = json.loads(line)
        self.api_key = self.ready["apiKey"] or self.api_key
        return self.ready

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._forget()
        return code

    def kill(self) -> None:
        """SIGKILL Stagedoor alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def close(self) -> None:
        """End everything that is left."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        if self._process is not None:
            self.kill()
        if self.external is not None:
            self.external.kill()
        elif (self.data_dir / "livekit" / "livekit.json").is_file():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.livekit_pid, signal.SIGKILL)


@contextmanager
def running(folder: Path, mode: Mode = "managed", **environment: str) -> Generator[RunningProduct]:
    """A started product that is ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    product = RunningProduct(folder, mode, **environment)
    try:
        product.start()
        yield product
    finally:
        product.close()


class Api:
    """The REST contract of a running product, with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str | None) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None, **headers: str
    ) -> Any:
        """The decoded answer; `path` is under `/api/v1`, headers are written with `_` for `-`.

        With `expect`, the status is checked; without, any success will do.
        """
        status, decoded, _ = await self.raw(method, path, body, **headers)
        wanted = status == expect if expect is not None else status < 300
        assert wanted, f"{method} {path} answered {status}: {decoded}"
        return decoded

    async def raw(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, decoded body and headers."""
        given = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        address = URL(f"{self._url}/api/v1{path}", encoded="%2F" in path)
        async with self._session.request(method, address, json=body, headers=given) as answer:
            content = await answer.read()
            decoded = json.loads(content) if content and "json" in answer.content_type else content
            return answer.status, decoded, dict(answer.headers)

    def as_key(self, key: str | None) -> Api:
        """The same with another key."""
        return Api(self._session, self._url, key)


async def eventually(check: Any, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first truthy answer of `check`, which is asked until then: for state that follows LiveKit's events."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"it did not come true: {check}"
        await asyncio.sleep(0.05)
