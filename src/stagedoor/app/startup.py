"""Everything of a running instance that needs the whole product imported, in the order in which it starts.

HTTP is served before LiveKit counts as started and until after it has stopped, because LiveKit's first and last
webhooks go there; `/ready` says 503 until everything answers. To add a service, add an entry to `SERVICES`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from stagedoor.api.application import build
from stagedoor.api.prefix import PREFIX
from stagedoor.app.firstrun import make_first, make_first_key, make_first_link
from stagedoor.app.http import HttpServer
from stagedoor.app.jobs import make_worker
from stagedoor.app.runtime import Runtime, Service
from stagedoor.app.service_factory import make_services
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import OperatorError, StorageUnavailable
from stagedoor.kernel.secretfile import write_private
from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.outbox.fanout import Fanout
from stagedoor.pages.pages import Pages
from stagedoor.rooms.reconcile import Reconciler
from stagedoor.rooms.reconcile_worker import ReconcileWorker
from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.server import RtmpServer
from stagedoor.storage import migrate, open_database

_log = structlog.get_logger()
_RECORD_USE_SECONDS: Final = 10.0


async def _migrate(rt: Runtime) -> None:
    await rt.startup_wait.attempt(lambda: migrate(rt.database_url))


async def _open_database(rt: Runtime) -> None:
    rt.database = await rt.startup_wait.attempt(lambda: open_database(rt.database_url))


async def _close_database(rt: Runtime) -> None:
    await rt.database.close()


async def _make_first(rt: Runtime) -> None:
    await rt.startup_wait.attempt(lambda: rt.database.write(make_first))


async def _make_services(rt: Runtime) -> None:
    rt.operator_secret = secrets.token_urlsafe(32)
    rt.services = make_services(
        rt.settings, rt.secrets, rt.network, rt.database, rt.operator_secret, lambda: rt.unready, rt.folder.node
    )
    rt.reconciler = Reconciler(rt.database, rt.services.feed, rt.services.queue)
    rt.reconcile_worker = ReconcileWorker(
        rt.services.gateway,
        rt.reconciler,
        rt.services.ban_enforcer,
        rt.settings.reconcile_interval,
        rt.services.applier.catch_up,
        rt.services.user_enforcer.sweep,
    )
    if rt.livekit_lost_at is not None:
        rt.reconcile_worker.lost(rt.livekit_lost_at)


async def _close_services(rt: Runtime) -> None:
    await rt.services.close()


async def _end_sessions(rt: Runtime) -> None:
    """Apply what is stored; then, if our LiveKit was stopped and with it every room, close what that left open.

    In this order, or the backlog would open sessions after the last comparison, which nothing would close.
    """
    await rt.services.applier.catch_up()
    if rt.livekit_stopped_at is not None:
        with contextlib.suppress(StorageUnavailable):
            await rt.reconciler.run(ServerState(now_ms(), ()), rt.livekit_stopped_at)


async def _record_use_now(rt: Runtime) -> None:
    with contextlib.suppress(StorageUnavailable):
        await rt.services.authenticator.record_use()


async def _record_use(rt: Runtime) -> None:
    while True:
        await asyncio.sleep(_RECORD_USE_SECONDS)
        try:
            await rt.services.authenticator.record_use()
        except StorageUnavailable as error:
            _log.warning("key_use_not_recorded", error=str(error))


async def _serve(rt: Runtime) -> None:
    services = rt.services
    pages = Pages(services, f"{PREFIX}/openapi.json")
    rt.http = HttpServer(rt.settings, rt.listening)
    rt.supervise(await rt.http.start(build(services, pages.routes(f"{PREFIX}/docs"))))


async def _stop_serving(rt: Runtime) -> None:
    """Streams end first, or the server would wait for them."""
    rt.services.frame_viewers.close()
    rt.services.hls.close()
    rt.services.feed.close()
    await rt.services.senders.close()
    await rt.http.stop()


async def _write_operator_file(rt: Runtime) -> None:
    text = msgspec.json.encode({"url": rt.network.local_url, "secret": rt.operator_secret}).decode()
    try:
        write_private(rt.folder.operator_file, text)
    except OSError as error:
        raise OperatorError(f"The data folder {rt.folder.path} cannot be written: {error.strerror}.") from None


async def _remove_operator_file(rt: Runtime) -> None:
    rt.folder.operator_file.unlink(missing_ok=True)


async def _await_livekit(rt: Runtime) -> None:
    started = await rt.livekit_starting
    if started is not None:
        rt.livekit_version = started.version


async def _stop_livekit(rt: Runtime) -> None:
    if rt.livekit is not None:
        await rt.livekit.stop()
        rt.livekit_stopped_at = now_ms()
        await _end_sessions(rt)  # while live feeds are still open


async def _write_usage(rt: Runtime) -> None:
    await rt.services.media_usage.write()


async def _compare(rt: Runtime) -> None:
    assert rt.reconcile_worker is not None  # noqa: S101 - made with the services, which this needs
    await rt.startup_wait.attempt(rt.reconcile_worker.once)
    if rt.livekit is None:
        from stagedoor.mediaserver.version import server_version

        rt.livekit_version = await server_version(rt.network.endpoint)


async def _make_first_key(rt: Runtime) -> None:
    rt.api_key = await rt.startup_wait.attempt(lambda: rt.database.write(make_first_key))
    if rt.api_key is not None:
        rt.owner_link = await rt.startup_wait.attempt(lambda: rt.database.write(make_first_link))


def _background(
    name: str, work: Callable[[Runtime], Coroutine[Any, Any, None]], *, needs: tuple[str, ...] = ("services",)
) -> Service:
    """A service that is one coroutine which goes on until it is cancelled."""

    async def start(rt: Runtime) -> None:
        rt.run(name, work(rt))

    async def stop(rt: Runtime) -> None:
        await rt.cancel(name)

    return Service(name, start, stop, needs)


def _give_out_events(rt: Runtime) -> Coroutine[Any, Any, None]:
    return Fanout(rt.database, rt.services.feed, rt.services.queue, rt.settings.webhook_max_pending).run()


async def _start_ingress(rt: Runtime) -> None:
    await rt.startup_wait.attempt(rt.services.ingress.start)
    rt.run("ingress", rt.services.ingress.run())


async def _stop_ingress(rt: Runtime) -> None:
    await rt.services.ingress.close()
    await rt.cancel("ingress")


async def _serve_rtmp(rt: Runtime) -> None:
    settings = rt.settings
    certificate, key = settings.rtmp_tls_certificate, settings.rtmp_tls_key
    tls = None if certificate is None or key is None else Certificate(certificate, key)
    rt.rtmp = RtmpServer(rt.services.rtmp_ingresses, settings, tls)
    for listening in rt.rtmp_sockets:
        rt.rtmp.listen(listening.socket, tls_only=listening.tls_only)
    rt.run("rtmp", rt.rtmp.run())


async def _stop_rtmp(rt: Runtime) -> None:
    await rt.rtmp.stop()
    await rt.cancel("rtmp")


def _reconcile(rt: Runtime) -> Coroutine[Any, Any, None]:
    assert rt.reconcile_worker is not None  # noqa: S101 - as above
    return rt.reconcile_worker.run()


SERVICES: Final = (
    Service("tables", _migrate, needs=("data folder",)),
    Service("database", _open_database, _close_database, needs=("tables",)),
    Service("first organisation", _make_first, needs=("database",)),
    Service("services", _make_services, _close_services, needs=("database", "listening socket")),
    Service("last use of keys", stop=_record_use_now, needs=("services",)),
    Service("end of sessions", stop=_end_sessions, needs=("services",)),
    _background("applier", lambda rt: rt.services.applier.run()),
    _background("bans", lambda rt: rt.services.ban_enforcer.run()),
    _background("room roles", lambda rt: rt.services.user_enforcer.run()),
    _background("jobs", lambda rt: make_worker(rt.services, rt.folder.node).run()),
    _background("webhooks", _give_out_events),
    _background("key use", _record_use),
    _background("clock", lambda rt: rt.services.clock.run()),
    _background("camera keys", lambda rt: rt.services.key_revocation.run()),
    _background("media usage", lambda rt: rt.services.media_usage.run()),
    _background("hls", lambda rt: rt.services.hls.run()),
    _background("other nodes", lambda rt: rt.services.other_nodes.run()),
    # Stopped before the applier, which applies the events that come in until then.
    Service("http", _serve, _stop_serving, needs=("services", "listening socket", "applier")),
    Service("operator file", _write_operator_file, _remove_operator_file, needs=("http",)),
    Service("livekit", _await_livekit, _stop_livekit, needs=("launch of livekit", "http")),
    Service("usage until now", stop=_write_usage, needs=("services",)),  # before sessions end with LiveKit
    Service("first comparison", _compare, needs=("livekit",)),
    _background("reconcile", _reconcile, needs=("first comparison",)),
    # Cameras and encoders leave their rooms before LiveKit is stopped.
    _background("media workers", lambda rt: rt.services.media_workers.run(), needs=("livekit",)),
    Service("ingress", _start_ingress, _stop_ingress, needs=("media workers",)),
    Service("rtmp", _serve_rtmp, _stop_rtmp, needs=("ingress", "rtmp sockets")),
    _background("whip", lambda rt: rt.services.whip.run(), needs=("ingress",)),
    _background("compositions", lambda rt: rt.services.compositions.run(), needs=("media workers",)),
    _background("pulls", lambda rt: rt.services.pulls.run(), needs=("ingress",)),
    _background("bridges", lambda rt: rt.services.bridges.run(), needs=("livekit",)),
    # Last, when nothing can fail any more between its making and its being shown.
    Service("first key", _make_first_key, needs=("first organisation",)),
)
