"""Find the LiveKit that a killed Stagedoor left running, and decide whether it can go on.

It goes on only when it is certainly ours and would not differ from one started now: the recorded process,
begun at the recorded moment, running this binary with this folder's configuration file, started with the
configuration that would be written now, answering, and taking our key. One that is ours but differs is
stopped. A process that is not ours is never touched; if it has our ports, the start says so.
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
_PATIENCE_SECONDS = 5.0


async def adopt(
    binary: Path,
    config: ManagedConfig,
    folder: StateFolder,
    stop_steps: Sequence[stopping.Step],
    *,
    own: Callable[[Child], None],
) -> Record | None:
    """The record of ours when it was found, can go on and was handed to `own`; else none of ours runs now.

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
        _log.warning("livekit_left_behind_is_stopped", pid=info.pid, difference=difference)
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
    """Note that the process was told to stop, so that nobody adopts one that drains. Blocks."""
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
    """Why this process of ours cannot go on; None when it can."""
    if record is None:
        return "nothing is recorded about it"
    if record.stopping:
        return "it was told to stop"
    if record.config != fingerprint(render(config)):
        return "its configuration is another one"
    if record.binary != str(binary) or not folder.runs(info, binary):
        return "its program is another one"
    if not await until_ready(child, config, _PATIENCE_SECONDS):
        return "it does not answer or does not take our key"
    return None
