"""The watchdog of a running LiveKit: bounds its log, and kills it when it hangs."""

from __future__ import annotations

import asyncio
import signal
import time

import aiohttp
import structlog

from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.failure import os_reason
from stagedoor.mediaserver.launch import LOG_LIMIT_BYTES
from stagedoor.mediaserver.probe import answers, local_url
from stagedoor.mediaserver.state import StateFolder
from stagedoor.processes import logfile
from stagedoor.processes.child import Child

_log = structlog.get_logger()


async def watch(
    child: Child,
    config: ManagedConfig,
    folder: StateFolder,
    *,
    every_seconds: float = 10.0,
    hang_seconds: float = 60.0,
    ask_seconds: float = 3.0,
) -> None:
    """Run until cancelled or the process was killed because it hung; a probe may take `ask_seconds`.

    A LiveKit that gives no HTTP answer at all for `hang_seconds`, probe after probe, admits no participant
    and takes no call: it is killed, and its supervisor starts another. The time is counted on
    the monotonic clock, which stands still while the machine sleeps.
    """
    url = local_url(config)
    answered_at = time.monotonic()
    unanswered = 0
    async with aiohttp.ClientSession() as http:
        while True:
            await asyncio.sleep(every_seconds)
            await _bound_log(folder)
            if await answers(http, url, ask_seconds):
                answered_at = time.monotonic()
                unanswered = 0
                continue
            unanswered += 1
            silent = time.monotonic() - answered_at
            _log.warning("livekit_does_not_answer", pid=child.pid, silent_seconds=round(silent, 1))
            # Three probes at least: this process may have been the one that stood still.
            if silent >= hang_seconds and unanswered >= 3:
                child.send(signal.SIGKILL)
                return


async def _bound_log(folder: StateFolder) -> None:
    try:
        await asyncio.to_thread(logfile.bound, folder.log, LOG_LIMIT_BYTES)
    except OSError as error:
        _log.warning("livekit_log_not_bounded", reason=os_reason(error))
