"""Adopt the LiveKit process that a killed Stagedoor left running.

A process is adopted only when it is certainly this folder's and equals one started now: it has the recorded process
id and start time, runs this binary with this folder's configuration file, was started with the configuration that
would be written now, answers, and accepts the API key. A process of this folder that differs is stopped. Any other
process is never touched; if it holds the ports, the start fails and names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.config import ManagedConfig, fingerprint, render
from stagedoor.mediaserver.failure import os_reason
from stagedoor.mediaserver.launch import recorded, until_ready
from stagedoor.mediaserver.state import Record, StateFolder
from stagedoor.processes import stopping
from stagedoor.processes.child import Child
from stagedoor.processes.procinfo import ProcessInfo

_log = structlog.get_logger()

# A Stagedoor killed while it was starting LiveKit leaves one that needs a moment.
_READY_TIMEOUT_SECONDS = 5.0


async def adopt(
    binary: Path,
    config: ManagedConfig,
    folder: StateFolder,
    stop_steps: Sequence[stopping.Step],
    *,
    own: Callable[[Child], None],
) -> Record | None:
    """Adopt the recorded process: hand it to `own` and return its record; `None` when none runs afterwards.

    Raises:
        OperatorError: The record cannot be written.
    """
    record, info = await asyncio.to_thread(_look, folder)
    if info is None:
        return None
    try:
        child = Child.watch(info.pid)
    except ProcessLookupError:
        return None
    owned = False
    try:
        # The id could have changed hands between looking and watching; from here on it cannot.
        if await asyncio.to_thread(_look, folder) != (record, info):
            return None
        difference = await _difference(child, record, info, binary, config, folder)
        if difference is None and record is not None:
            known = recorded(record, info.pid, info.started_ticks, info.boot_id)
            await asyncio.to_thread(folder.write, known)
            own(child)
            owned = True
            return known
        _log.warning("stopping_orphaned_livekit", pid=info.pid, difference=difference)
        await stopping.stop(child, stop_steps)
    except OSError as error:
        raise OperatorError(
            f"{folder.record} cannot be written ({os_reason(error)}); free some space there."
        ) from error
    finally:
        if not owned:
            child.close()
    return None


def mark_stopping(folder: StateFolder) -> None:
    """Record that the process was asked to stop, so that a draining one is not adopted. Blocks."""
    record = folder.read()
    if record is not None:
        try:
            folder.write(msgspec.structs.replace(record, stopping=True))
        except OSError as error:
            _log.warning("livekit_record_not_written", reason=os_reason(error))


def _look(folder: StateFolder) -> tuple[Record | None, ProcessInfo | None]:
    record = folder.read()
    return record, folder.find(record)


async def _difference(
    child: Child,
    record: Record | None,
    info: ProcessInfo,
    binary: Path,
    config: ManagedConfig,
    folder: StateFolder,
) -> str | None:
    """Why this folder's process cannot be adopted; `None` when it can."""
    if record is None:
        return "nothing is recorded about it"
    if record.stopping:
        return "it was asked to stop"
    if record.config != fingerprint(render(config)):
        return "its configuration differs"
    if record.binary != str(binary) or not folder.runs(info, binary):
        return "its program differs"
    if not await until_ready(child, config, _READY_TIMEOUT_SECONDS):
        return "it does not answer or does not accept the API key"
    return None
