"""A real LiveKit for the tests, on ports of their own, and nothing left running after them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from stagedoor.mediaserver.config import ManagedConfig, choose_network
from stagedoor.mediaserver.install import find_binary
from stagedoor.mediaserver.state import StateFolder
from stagedoor.mediaserver.supervisor import ManagedLiveKit
from stagedoor.processes.backoff import Backoff
from stagedoor.processes.procinfo import running_with
from tests.mediaserver.livekit_harness import Heard, MakeManaged
from tests.support.ports import free_ports


@pytest.fixture(scope="session")
def livekit_binary() -> Path:
    explicit = os.environ.get("STAGEDOOR_LIVEKIT_BINARY")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagedoor"
    found = find_binary(Path(explicit) if explicit else None, cache)
    if found is None:
        pytest.fail("There is no livekit-server; run `stagedoor livekit install` first.")
    return found


@pytest.fixture
def config() -> ManagedConfig:
    """A local configuration on three free ports."""
    http_port, tcp_port, udp_port = free_ports(3)
    bind, node_ip, loopback = choose_network("127.0.0.1", None)
    return ManagedConfig(
        http_port=http_port,
        tcp_port=tcp_port,
        udp_port=udp_port,
        bind_addresses=bind,
        node_ip=node_ip,
        loopback=loopback,
        api_key="APItest",
        api_secret="a-secret-of-at-least-32-characters",
    )


@pytest.fixture
def state_dir(tmp_path: Path) -> Generator[Path]:
    folder = tmp_path / "livekit"
    yield folder
    # Whatever a test left running with this folder's configuration, and nothing else.
    for info in running_with(StateFolder(folder).arguments()):
        os.kill(info.pid, signal.SIGKILL)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def managed(
    livekit_binary: Path, config: ManagedConfig, state_dir: Path, heard: Heard
) -> AsyncGenerator[MakeManaged]:
    """Makes supervisors that are stopped after the test."""
    made: list[ManagedLiveKit] = []

    def make(
        *,
        config: ManagedConfig = config,
        binary: Path = livekit_binary,
        folder: Path = state_dir,
        grace: float = 2.0,
    ) -> ManagedLiveKit:
        one = ManagedLiveKit(
            binary,
            config,
            folder,
            on_lost=heard.lost.append,
            on_ready=lambda at_ms, restarted: heard.ready.append((at_ms, restarted)),
            stop_grace_seconds=grace,
            backoff=Backoff(first=0.05),
        )
        made.append(one)
        return one

    yield make
    for one in made:
        await one.stop()
