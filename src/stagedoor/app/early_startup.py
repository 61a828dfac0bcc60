"""What is started before the rest of the product is even imported, so that LiveKit starts meanwhile.

Only what this needs is imported here: no web framework, no database.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from stagedoor.app.datafolder import DataFolder
from stagedoor.app.filesystem import warn_about
from stagedoor.app.listening import listen
from stagedoor.app.network import lay_out
from stagedoor.app.rtmp_sockets import listen_rtmp
from stagedoor.app.runtime import Runtime, Service
from stagedoor.kernel import tracing
from stagedoor.kernel.errors import OperatorError

if TYPE_CHECKING:
    from stagedoor.mediaserver.status import Started


async def _hold_folder(rt: Runtime) -> None:
    folder = DataFolder(rt.settings.data_dir)
    if not folder.try_hold():
        raise OperatorError(
            f"Another Stagedoor runs on the data folder {folder.path}; stop it, or choose another with --data-dir."
        )
    warn_about(folder.path)
    rt.folder = folder


async def _release_folder(rt: Runtime) -> None:
    rt.folder.release()


async def _start_tracing(_: Runtime) -> None:
    tracing.start(os.environ)


async def _stop_tracing(_: Runtime) -> None:
    await asyncio.to_thread(tracing.stop)


async def _listen(rt: Runtime) -> None:
    rt.secrets = rt.folder.secrets()
    rt.network = lay_out(rt.settings, rt.secrets)
    rt.listening = listen(rt.settings.http_host, rt.settings.http_port)


async def _close_socket(rt: Runtime) -> None:
    rt.listening.close()


async def _listen_rtmp(rt: Runtime) -> None:
    rt.rtmp_sockets = listen_rtmp(rt.settings)


async def _close_rtmp_sockets(rt: Runtime) -> None:
    for listening in rt.rtmp_sockets:
        listening.socket.close()


async def _launch_livekit(rt: Runtime) -> None:
    rt.livekit_starting = asyncio.create_task(_start_livekit(rt), name="start of livekit")


async def _start_livekit(rt: Runtime) -> Started | None:
    managed = rt.network.managed
    if managed is None:
        return None
    # An external LiveKit needs none of this.
    from stagedoor.mediaserver.install import ensure_binary
    from stagedoor.mediaserver.supervisor import ManagedLiveKit

    settings = rt.settings
    binary = await ensure_binary(
        settings.livekit_binary, settings.cache_dir, settings.livekit_download_url, rt.progress
    )
    rt.livekit = ManagedLiveKit(
        binary,
        managed,
        rt.folder.livekit,
        on_lost=lambda at: _lost(rt, at),
        on_ready=lambda _, restarted: _ready(rt, restarted=restarted),
        stop_grace_seconds=settings.livekit_stop_grace,
    )
    return await rt.livekit.start()


def _lost(rt: Runtime, at: int) -> None:
    if rt.reconcile_worker is None:
        rt.livekit_lost_at = at
    else:
        rt.reconcile_worker.lost(at)


def _ready(rt: Runtime, *, restarted: bool) -> None:
    if restarted:
        from stagedoor.mediaserver.metrics import LIVEKIT_RESTARTS  # a restart is long after the start

        LIVEKIT_RESTARTS.inc()
    if rt.reconcile_worker is not None:
        rt.reconcile_worker.ask()


async def _end_launch(rt: Runtime) -> None:
    """After a start that failed; else LiveKit has been stopped by now."""
    rt.livekit_starting.cancel()
    await asyncio.wait({rt.livekit_starting})
    if rt.livekit is not None:
        await rt.livekit.stop()


SERVICES: Final = (
    Service("data folder", _hold_folder, _release_folder),
    Service("tracing", _start_tracing, _stop_tracing),
    Service("listening socket", _listen, _close_socket, needs=("data folder",)),
    Service("rtmp sockets", _listen_rtmp, _close_rtmp_sockets, needs=("listening socket",)),
    # LiveKit's first webhooks wait in the socket until HTTP is served.
    Service("launch of livekit", _launch_livekit, _end_launch, needs=("listening socket",)),
)
