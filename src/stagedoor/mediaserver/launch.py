"""One life of a managed LiveKit: from a free port to an answer, or to a sentence that says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec

from stagedoor.kernel.errors import OperatorError
from stagedoor.kernel.secretfile import write_private
from stagedoor.mediaserver.config import ManagedConfig, fingerprint, render
from stagedoor.mediaserver.exit_reason import last_error_in, reason_in
from stagedoor.mediaserver.failure import os_reason
from stagedoor.mediaserver.ports import port_sentence, require_free_ports
from stagedoor.mediaserver.probe import accepts_key, answers, local_url
from stagedoor.mediaserver.state import Record, StateFolder
from stagedoor.processes import logfile
from stagedoor.processes.child import Child, spawn_detached
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.procinfo import inspect

LOG_LIMIT_BYTES = 20_000_000
_ASK_EVERY_SECONDS = 0.1
# LiveKit answers 100 ms before it counts itself as running, and forgets a SIGTERM that comes in between
# (pkg/service/server.go: `Stop` returns early, `Start` sleeps); stopping would then take the second SIGTERM.
_SETTLING_SECONDS = 0.2

# What Go's runtime and its HTTP client read, and no more: LiveKit takes settings from its environment too, and they win
# over its file. LIVEKIT_CONFIG replaces it, LIVEKIT_KEYS the keys, NODE_IP, UDP_PORT, REDIS_HOST, LIVEKIT_RTC_TCP_PORT
# and their like single values (cmd/server/main.go, config.GenerateCLIFlags).
_PASSED_ON = (
    *("GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG", "GOTRACEBACK"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


async def begin(
    binary: Path, config: ManagedConfig, folder: StateFolder, now_ms: int, own: Callable[[Child], None]
) -> int:
    """Start the process and hand it to `own`, at once and even if the caller is cancelled.

    Returns:
        Where in the log this life begins, in bytes.

    Raises:
        OperatorError: A port is taken, or something cannot be written or started.
    """

    def start() -> tuple[int, int]:
        require_free_ports(config)
        logfile.bound(folder.log, LOG_LIMIT_BYTES)
        offset = logfile.size(folder.log)
        rendered = render(config)
        write_private(folder.config, rendered)
        record = Record(config=fingerprint(rendered), binary=str(binary), started_at_ms=now_ms)
        folder.write(record)
        argv = [str(binary), *folder.arguments()]
        pid = spawn_detached(argv, folder.log, env=environment_of_child(*_PASSED_ON), cwd=folder.path)
        if info := inspect(pid):
            folder.write(recorded(record, info.pid, info.started_ticks, info.boot_id))
        return pid, offset

    # A thread cannot be cancelled: when we are, its process must still get its owner, who will end it.
    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        pid, offset = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if starting.exception() is None:
            own(Child.watch(starting.result()[0]))
        raise
    except OSError as error:
        raise OperatorError(
            f"LiveKit could not be started with its files in {folder.path} ({os_reason(error)});"
            " see that this user may write there and that there is space."
        ) from error
    own(Child.watch(pid))
    return offset


def recorded(record: Record, pid: int, started_ticks: int, boot_id: str) -> Record:
    """The record with the process in it."""
    return msgspec.structs.replace(record, pid=pid, started_ticks=started_ticks, boot_id=boot_id)


async def until_ready(child: Child, config: ManagedConfig, timeout_seconds: float) -> bool:
    """Wait until the process answers and accepts the API key; `False` when it ended or the timeout passed."""
    url = local_url(config)
    ended = asyncio.ensure_future(child.wait())
    try:
        async with asyncio.timeout(timeout_seconds), aiohttp.ClientSession() as http:
            while not ended.done():
                if await answers(http, url) and await accepts_key(http, url, config.api_key, config.api_secret):
                    await asyncio.wait([ended], timeout=_SETTLING_SECONDS)
                    # If the process has ended by now, the answer came from another one with this port and API key.
                    return not child.ended
                await asyncio.wait([ended], timeout=_ASK_EVERY_SECONDS)
    except TimeoutError:
        pass
    finally:
        ended.cancel()
    return False


def why_it_ended(folder: StateFolder, offset: int, config: ManagedConfig) -> str:
    """A sentence about a LiveKit that ended while it was starting. Blocks for milliseconds."""
    written = logfile.written_since(folder.log, offset)
    reason = reason_in(written) or last_error_in(written)
    if reason is None:
        return f"LiveKit ended while it was starting and gave no reason; look into {folder.log}."
    if sentence := port_sentence(config, reason):
        return sentence
    if "config" in reason:
        return f"LiveKit refused its configuration ({reason}); correct its settings given to Stagedoor."
    return f"LiveKit ended while it was starting ({reason}); look into {folder.log}."


def why_it_was_lost(folder: StateFolder, offset: int) -> str | None:
    """The reason that a running LiveKit gave for its end, `None` for one that was killed. Blocks as above."""
    return reason_in(logfile.written_since(folder.log, offset))
