"""The whole product, started in order and stopped in reverse.

Order: data folder, store, the workers that apply events and do jobs, HTTP, LiveKit, the worker that reconciles. HTTP
listens before LiveKit is started and after it is stopped, because LiveKit's first and last webhooks go there; `/ready`
says 503 until everything answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets as chance
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from stagedoor.api.application import build
from stagedoor.api.prefix import PREFIX
from stagedoor.api.services import Services
from stagedoor.app.datafolder import DataFolder
from stagedoor.app.firstrun import APP, ORGANISATION, make_first, make_first_key
from stagedoor.app.http import HttpServer
from stagedoor.app.jobs import make_worker
from stagedoor.app.network import Network, lay_out
from stagedoor.app.parts import make_parts
from stagedoor.app.patience import Patience
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import OperatorError, Problem, StorageUnavailable
from stagedoor.kernel.secretfile import write_private
from stagedoor.mediaserver.install import ensure_binary
from stagedoor.mediaserver.managed import ManagedLiveKit
from stagedoor.mediaserver.metrics import LIVEKIT_RESTARTS
from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.mediaserver.version import server_version
from stagedoor.outbox.fanout import Fanout
from stagedoor.pages.pages import Pages
from stagedoor.rooms.reconcile import Reconciler
from stagedoor.rooms.reconcile_worker import Watch
from stagedoor.settings.installation import Settings
from stagedoor.storage import migrate, open_database

_log = structlog.get_logger()
_RECORD_USE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person or a program is told when everything answers."""

    url: str
    api_key: str | None
    organisation: str
    app: str
    livekit_mode: str
    livekit_url: str
    livekit_version: str | None
    data_dir: str
    meet_url: str

    def line(self) -> bytes:
        """The one line of `--json`."""
        return msgspec.json.encode(
            {
                "ready": True,
                "url": self.url,
                "apiKey": self.api_key,
                "organisation": self.organisation,
                "app": self.app,
                "livekit": {
                    "mode": self.livekit_mode,
                    "url": self.livekit_url,
                    "version": self.livekit_version,
                },
                "dataDir": self.data_dir,
            }
        )


class Product:
    """One running instance.

    Args:
        settings: The installation's settings.
        progress: Told, in a sentence, what takes a while.
    """

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self._settings = settings
        self._progress = progress
        self._patience = Patience(settings.start_patience, progress)
        self._starting: str | None = "Stagedoor is starting."
        self._closing = contextlib.AsyncExitStack()
        self._workers: set[asyncio.Task[None]] = set()
        self._livekit_stopped_at: int | None = None
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> Summary:
        """Start everything; what was started is stopped again when something can't be.

        Raises:
            OperatorError: Something on this machine is in the way.
        """
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, in reverse."""
        self._starting = "Stagedoor is stopping."
        await self._closing.aclose()

    async def failed(self) -> None:
        """Return when a part that should run for ever has ended; raises what ended it."""
        await self._failed

    async def _start(self) -> Summary:
        folder = DataFolder(self._settings.data_dir)
        if not folder.try_hold():
            raise OperatorError(
                f"Another Stagedoor runs on the data folder {folder.path}; stop it, or choose another with --data-dir."
            )
        self._closing.callback(folder.release)
        tracing.start(os.environ)
        self._closing.push_async_callback(asyncio.to_thread, tracing.stop)
        secrets = folder.secrets()
        network = lay_out(self._settings, secrets)
        http = HttpServer(self._settings)
        self._closing.push_async_callback(http.stop)
        configured = self._settings.database_url
        url = configured.get_secret_value() if configured else folder.database_url
        try:
            await self._patience.attempt(lambda: migrate(url))
            database = await self._patience.attempt(lambda: open_database(url))
            self._closing.push_async_callback(database.close)
            await self._patience.attempt(lambda: database.write(make_first))
        except StorageUnavailable as error:
            raise OperatorError(f"The database can't be used: {error}") from None
        operator_secret = chance.token_urlsafe(32)
        services, ban_enforcer = make_parts(
            self._settings, secrets, network, database, operator_secret, lambda: self._starting, folder.node
        )
        self._closing.push_async_callback(services.gateway.close)
        self._closing.push_async_callback(services.sender.close)
        self._closing.push_async_callback(services.transcriber.close)
        self._closing.push_async_callback(services.media_usage.close)  # when no camera sends any more
        self._closing.push_async_callback(services.presence_events.close)
        self._closing.push_async_callback(services.http_ingest.close)
        self._work("applier", services.applier.run())
        reconciler = Reconciler(database, services.feed, services.queue)
        self._closing.push_async_callback(self._last_events, services, reconciler)
        self._work("bouncer", ban_enforcer.run())
        self._work("jobs", make_worker(services, folder.node).run())
        self._work("webhook fan-out", Fanout(services.database, services.feed, services.queue).run())
        self._work("clock", services.clock.run())
        self._work("key use", _record_use(services))
        self._work("cameras", services.key_revocation.run())
        self._work("camera usage", services.media_usage.run())
        self._work("cameras elsewhere", services.other_nodes.run())
        document = f"{PREFIX}/openapi.json"
        pages = Pages(database, services.issuer, services.admission_control, document)
        self._watch_over(await http.start(build(services, pages.routes(f"{PREFIX}/docs"))))
        # HTTP must stop before the applier does, and live feeds must end or it would wait for them.
        self._closing.push_async_callback(http.stop)
        self._closing.callback(services.feed.close)
        self._closing.callback(services.frame_viewers.close)
        self._closing.callback(services.cameras.close)
        _tell_cli(folder, network, operator_secret)
        self._closing.callback(lambda: folder.operator_file.unlink(missing_ok=True))
        watch = Watch(
            services.gateway, reconciler, ban_enforcer, self._settings.reconcile_interval, services.applier.catch_up
        )
        managed_version = await self._start_livekit(network, folder, watch, services, reconciler)
        self._closing.push_async_callback(services.media_usage.write)  # before sessions end with LiveKit
        try:
            await self._patience.attempt(watch.once)
        except (Problem, StorageUnavailable) as error:
            raise OperatorError(_unreachable(network, error)) from None
        version = managed_version or await server_version(network.endpoint)
        self._closing.push_async_callback(_cancelled, self._work("reconcile", watch.run()))
        # Cameras leave their rooms before LiveKit is stopped.
        self._closing.push_async_callback(_cancelled, self._work("bridges", services.bridges.run()))
        try:
            api_key = await self._patience.attempt(lambda: database.write(make_first_key))
        except StorageUnavailable as error:
            raise OperatorError(f"The database can't be used: {error}") from None
        self._starting = None
        _settle_memory()
        token = services.signer.sign("meet", f"{APP}-demo", 86_400)
        return Summary(
            url=network.public_url,
            api_key=api_key,
            organisation=ORGANISATION,
            app=APP,
            livekit_mode="external" if network.managed is None else "managed",
            livekit_url=network.endpoint.client_url,
            livekit_version=version,
            data_dir=str(folder.path),
            meet_url=f"{network.public_url}/meet/{APP}/{APP}-demo?token={token}",
        )

    async def _start_livekit(
        self, network: Network, folder: DataFolder, watch: Watch, services: Services, reconciler: Reconciler
    ) -> str | None:
        if network.managed is None:
            return None
        settings = self._settings
        binary = await ensure_binary(
            settings.livekit_binary, settings.cache_dir, settings.livekit_download_url, self._progress
        )

        def ready(_: int, restarted: bool) -> None:  # noqa: FBT001 - the supervisor's own signature
            if restarted:
                LIVEKIT_RESTARTS.inc()
            watch.ask()

        livekit = ManagedLiveKit(
            binary,
            network.managed,
            folder.livekit,
            on_lost=watch.lost,
            on_ready=ready,
            stop_grace_seconds=settings.livekit_stop_grace,
        )

        async def stop() -> None:
            await livekit.stop()
            self._livekit_stopped_at = now_ms()
            await self._end_sessions(services, reconciler)  # while live feeds are still open

        self._closing.push_async_callback(stop)
        started = await livekit.start()
        _log.info("livekit_running", pid=started.pid, adopted=started.adopted, version=started.version)
        return started.version

    async def _end_sessions(self, services: Services, reconciler: Reconciler) -> None:
        """Apply what is stored; then, as our LiveKit is gone and with it every room, close what that left open.

        In this order, or the backlog would open sessions after the last comparison, which nobody would close.
        """
        await services.applier.catch_up()
        if self._livekit_stopped_at is not None:
            with contextlib.suppress(StorageUnavailable):
                await reconciler.run(ServerState(now_ms(), ()), self._livekit_stopped_at)

    async def _last_events(self, services: Services, reconciler: Reconciler) -> None:
        """End the workers, and apply what came in until HTTP stopped."""
        await _cancelled(*self._workers)
        await self._end_sessions(services, reconciler)
        with contextlib.suppress(StorageUnavailable):
            await services.authenticator.record_use()

    def _work(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._workers.add(task)
        self._watch_over(task)
        return task

    def _watch_over(self, task: asyncio.Task[None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled() or self._starting is not None or self._failed.done():
                return
            error = task.exception()
            _log.error("service_ended", part=task.get_name(), exc_info=error)
            self._failed.set_exception(OperatorError(f"The part {task.get_name()!r} ended; the log says why."))

        task.add_done_callback(ended)


def _settle_memory() -> None:
    """Keep the garbage collector off what lives as long as the process.

    Half of what it would look at is code and tables. Measured on the webhook path: up to 1.5 times the work per CPU
    second, and a p99 of 35 ms where it was 100.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _record_use(services: Services) -> None:
    while True:
        await asyncio.sleep(_RECORD_USE_SECONDS)
        try:
            await services.authenticator.record_use()
        except StorageUnavailable as error:
            _log.warning("key_use_not_recorded", error=str(error))


def _tell_cli(folder: DataFolder, network: Network, secret: str) -> None:
    text = msgspec.json.encode({"url": network.local_url, "secret": secret}).decode()
    try:
        write_private(folder.operator_file, text)
    except OSError as error:
        raise OperatorError(f"The data folder {folder.path} can't be written: {error.strerror}.") from None


def _unreachable(network: Network, error: Exception) -> str:
    if isinstance(error, StorageUnavailable):
        return f"The database can't be used: {error}"
    url = network.endpoint.url
    return f"LiveKit at {url} can't be used: {error} Check LIVEKIT_API_HOST, LIVEKIT_API_KEY and LIVEKIT_API_SECRET."
