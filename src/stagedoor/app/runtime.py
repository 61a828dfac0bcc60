"""What the services of one instance share, and what a service is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from stagedoor.app.startup_wait import StartupWait
from stagedoor.kernel.errors import OperatorError
from stagedoor.settings.installation import Settings

if TYPE_CHECKING:
    import socket

    from stagedoor.app.datafolder import DataFolder, Secrets
    from stagedoor.app.http import HttpServer
    from stagedoor.app.network import Network
    from stagedoor.app.rtmp_sockets import RtmpSocket
    from stagedoor.mediaserver.status import Started
    from stagedoor.mediaserver.supervisor import ManagedLiveKit
    from stagedoor.rooms.reconcile import Reconciler
    from stagedoor.rooms.reconcile_worker import ReconcileWorker
    from stagedoor.services.services import Services
    from stagedoor.sources.rtmp.server import RtmpServer
    from stagedoor.storage import Database

_log = structlog.get_logger()


class Runtime:
    """One running instance: what each service has made, for those that need it.

    Attributes:
        settings: The installation's settings.
        progress: Called with a sentence for what takes a while.
        startup_wait: Retries what does not answer yet.
        unready: Why not everything answers; `None` once it does.
        livekit_lost_at: When the managed LiveKit ended by itself before its listener was there.
        livekit_stopped_at: When we stopped it.
    """

    folder: DataFolder
    secrets: Secrets
    network: Network
    listening: socket.socket
    rtmp_sockets: list[RtmpSocket]
    rtmp: RtmpServer
    livekit_starting: asyncio.Task[Started | None]
    operator_secret: str
    database: Database
    services: Services
    reconciler: Reconciler
    http: HttpServer

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self.settings = settings
        self.progress = progress
        self.startup_wait = StartupWait(settings.start_timeout, progress)
        self.unready: str | None = "Stagedoor is starting."
        self.api_key: str | None = None
        self.owner_link: str | None = None
        self.livekit: ManagedLiveKit | None = None
        self.livekit_version: str | None = None
        self.livekit_lost_at: int | None = None
        self.livekit_stopped_at: int | None = None
        self.reconcile_worker: ReconcileWorker | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def database_url(self) -> str | Path:
        """The configured database, or the file in the data folder."""
        configured = self.settings.database_url
        return configured.get_secret_value() if configured else self.folder.database

    def run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background what goes on until `cancel`; when it ends by itself, so does the instance."""
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        self.supervise(task)

    def supervise(self, task: asyncio.Task[None]) -> None:
        """Have the instance end when the task does, once everything answers."""

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled() or self.unready is not None or self.failed.done():
                return
            _log.error("service_ended", service=task.get_name(), exc_info=task.exception())
            self.failed.set_exception(OperatorError(f"The service {task.get_name()!r} ended; the log says why."))

        task.add_done_callback(ended)

    async def cancel(self, *names: str) -> None:
        """Cancel what runs in the background by these names, and wait for its end."""
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Step = Callable[[Runtime], Awaitable[None]]


async def nothing(_: Runtime) -> None:
    """The step of a service that has nothing to do at this point."""


@dataclass(frozen=True, slots=True)
class Service:
    """One part of a running instance.

    Attributes:
        name: What it is called in messages and in `needs`.
        start: Starts it; when it raises, it leaves nothing to be stopped.
        stop: Stops it; called only when it was started, and when all that were started after it have stopped.
        needs: The services that must have been started before it.
    """

    name: str
    start: Step = nothing
    stop: Step = nothing
    needs: tuple[str, ...] = ()
