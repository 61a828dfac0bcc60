"""Pulls the URLs that no other node pulls, for as long as they are wanted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.kernel.sealing import Sealer
from stagedoor.rooms import presence
from stagedoor.sources.ingress import store as ingress_store
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.claim import PULLED_ELSEWHERE
from stagedoor.sources.ingress.closing import REMOVED, ROOM_ENDED, Ending
from stagedoor.sources.ingress.embedded import open_stream
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.sessions import IngressSessions
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.pull import store
from stagedoor.sources.pull.camera import PulledCamera
from stagedoor.sources.pull.http_client import SourceFailed
from stagedoor.sources.pull.settings import PullSettings
from stagedoor.sources.pull.store import Due
from stagedoor.storage import Database, Transaction
from stagedoor.streams.media.protocol import UrlInput
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.streams.senders import Senders
from stagedoor.streams.watching import Watching
from stagedoor.tenancy.store import app_by_id

_log = structlog.get_logger()

_LOOK_SECONDS: Final = 1.0
"""Between two looks at what is to be pulled."""

_GATHER_SECONDS: Final = 0.05
"""So that one look serves many changes."""

_REST_SECONDS: Final = 5.0
"""The same while there is nothing; a change that comes through this node is seen at once."""

_NEVER: Final = float("inf")

FULL_SECONDS: Final = 10.0
"""After the media workers were full."""

LOOKED_SECONDS: Final = 2.0
"""After the first failure behind a look at what a URL serves: a server that takes one client at a time notices that the
look is over when it sends the next time."""

AGAIN_SECONDS: Final = 60.0
"""After a failure that another attempt would only repeat."""

REFUSED_SECONDS: Final = (60.0, 120.0, 240.0, 480.0, 900.0, 1_800.0)
"""After a refused password, the last one again and again: cameras lock an address or a user out after some five to ten
wrong ones, for half an hour."""

IDLE_SECONDS: Final = 30.0
"""How long a pull on demand goes on after the last participant or viewer has left."""

_OUT_OF_ROOM: Final = (REMOVED, ROOM_ENDED)
"""The ends of a publication whose participant has left the room already."""

NOT_WANTED: Final = Ending("not_wanted", "No participant is in the room, and no viewer watches.")


class PullRunner:
    """The pulls of this node.

    Args:
        database: Where ingresses are stored.
        sealer: Opens the URLs, which are sealed for their credentials.
        ingresses: Who may publish, and the states of those that do.
        workers: Read URLs and publish them.
        senders: The cameras of this node, of which a URL that serves pictures is one.
        settings: Where pulled URLs may lead.
        watching: Who watches a room without being in it.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        ingresses: IngressSessions,
        workers: MediaWorkers,
        senders: Senders,
        settings: PullSettings,
        watching: Watching,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._ingresses = ingresses
        self._workers = workers
        self._senders = senders
        self._watching = watching
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._on_demand: dict[str, tuple[LiveIngress, Due, float]] = {}
        self._again: dict[str, tuple[int, float]] = {}
        self._refused: dict[str, tuple[int, int]] = {}
        self._without_pictures: dict[str, int] = {}  # the versions of URLs that serve something else
        self._asked = asyncio.Event()
        ingresses.listen(self._asked.set)

    async def run(self) -> None:
        """Pull until cancelled; then end every pull."""
        try:
            while True:
                self._asked.clear()
                again = True
                try:
                    again = await self._look()
                except StorageUnavailable as error:
                    _log.warning("pulls_unavailable", error=str(error))
                rest = _LOOK_SECONDS if again else max(_REST_SECONDS, self._database.poll_seconds)
                await self._rest(rest)
        finally:
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values())

    async def _rest(self, seconds: float) -> None:
        """Wait for so long, or until an ingress is changed through this node."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
                await asyncio.sleep(_GATHER_SECONDS)

    async def _look(self) -> bool:
        """Begin what is due, and end what is not wanted; false when nothing can become due by itself."""
        others, live = not self._database.sole_writer, bool(self._ingresses.current())

        def look(tx: Transaction) -> tuple[list[Due], bool, set[tuple[str, str]]]:
            due = store.list_due(tx, now_ms())
            rooms = {one.livekit_room for one in due if one.on_demand}
            rooms |= {live.room for live, *_ in self._on_demand.values()}
            found = presence.present_sids(tx, rooms) if rooms else []
            present = {(room, identity) for room, _, identity in found}
            return due, bool(due) or (others and store.has_pulls(tx)), present

        # Two pulls on demand in one room do not keep each other there.
        due, again, present = await self._database.read(look)
        present -= {(live.room, live.ingress.identity) for live, *_ in self._on_demand.values()}
        for one in due:
            if self._may_begin(one) and (not one.on_demand or self._is_wanted(present, one)):
                task = self._tasks[one.ingress_id] = asyncio.create_task(self._pull(one), name=f"pull {one.ingress_id}")
                task.add_done_callback(partial(self._over, one))
        self._end_what_is_not_wanted(present)
        return again or live

    def _over(self, one: Due, task: asyncio.Task[None]) -> None:
        self._tasks.pop(one.ingress_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("pull_failed", ingress=one.ingress_id, exc_info=error)
            self._pause(one, AGAIN_SECONDS)

    def _may_begin(self, one: Due) -> bool:
        if one.ingress_id in self._tasks:
            return False
        version, at = self._again.get(one.ingress_id, (0, 0.0))
        return version != one.version or time.monotonic() >= at

    def _pause(self, one: Due, seconds: float) -> None:
        """Do not begin again for so long, unless the ingress is changed."""
        self._again[one.ingress_id] = one.version, time.monotonic() + seconds

    def _end_what_is_not_wanted(self, present: set[tuple[str, str]]) -> None:
        now = time.monotonic()
        for ingress_id, (live, one, wanted_at) in list(self._on_demand.items()):
            if self._is_wanted(present, one):
                self._on_demand[ingress_id] = live, one, now
            elif now - wanted_at >= self._idle_seconds:
                live.must_end(NOT_WANTED)

    async def _pull(self, one: Due) -> None:
        """Pull a URL until it must not be pulled any more, or cannot."""
        try:
            authenticated, url = await self._database.read(lambda tx: self._read(tx, one))
            if authenticated is None:
                return
            if url is None:
                _log.error("pull_url_not_opened", ingress=one.ingress_id, reason="another secrets.json sealed it")
                self._pause(one, AGAIN_SECONDS)
                return
            live = await self._ingresses.begin(authenticated, urlsplit(url).scheme.removesuffix("s").lower())
        except StorageUnavailable as error:
            _log.info("pull_not_begun", ingress=one.ingress_id, reason=str(error))
            return
        except Problem as problem:
            if problem.code != PULLED_ELSEWHERE:  # should that node die, it is this one's turn
                self._pause(one, AGAIN_SECONDS)
                _log.info("pull_not_begun", ingress=one.ingress_id, reason=problem.detail)
            return
        try:
            await self._publish(live, one, url)
        finally:
            self._on_demand.pop(one.ingress_id, None)
            if not live.over:
                live.end(live.ending.result()) if live.ending.done() else live.end()

    def _is_wanted(self, present: set[tuple[str, str]], one: Due) -> bool:
        room, identity = one.livekit_room, one.identity
        watched = self._watching.is_watched(room, pictures=one.may_serve_pictures)
        return watched or any(where == room and who != identity for where, who in present)

    async def _publish(self, live: LiveIngress, one: Due, url: str) -> None:
        if one.on_demand:
            self._on_demand[one.ingress_id] = live, one, time.monotonic()
        looks = live.source == "http" and live.ingress.transcoding != "always"
        looks &= self._without_pictures.get(one.ingress_id) != one.version
        if looks:
            # The look has closed its connection before a media worker opens its own: what aiohttp has read of a body,
            # or of TLS, cannot be handed to another process. What was found is kept: later attempts open one alone.
            if not await self._publish_pictures(live, one, url):
                return
            self._without_pictures[one.ingress_id] = one.version
        await self._publish_media(live, one, url)
        error = live.state.error
        if looks and error is not None and error.code == "source_failed" and live.state.started_at is None:
            self._pause(one, LOOKED_SECONDS)

    async def _publish_pictures(self, live: LiveIngress, one: Due, url: str) -> bool:
        """Be the room's camera with what the URL serves; returns whether it is something else, for a media worker."""
        camera = PulledCamera(live, self._senders, url, self._settings.pull_allowed_networks)
        pulling = asyncio.create_task(camera.run(), name=f"pictures {one.ingress_id}")
        try:
            await asyncio.wait([live.ending, pulling], return_when=asyncio.FIRST_COMPLETED)
            if live.ending.done():
                await self._pause_after(one, live.ending.result())
                return False
            return not pulling.result()
        except SourceFailed as failure:
            live.fail(failure.code, str(failure))
            await self._pause_after_failure(one, failure.code)
            return False
        finally:
            pulling.cancel()
            await asyncio.wait([pulling])

    async def _publish_media(self, live: LiveIngress, one: Due, url: str) -> None:
        self._workers.prepare()
        source = UrlInput(
            url,
            allowed_networks=list(self._settings.pull_allowed_networks),
            stay_seconds=live.app.settings.of(IngressSettings).stay_seconds,
        )
        try:
            stream = open_stream(live, self._workers, self._ingresses.tokens, source)
        except Problem as problem:
            live.fail(problem.code, problem.detail)
            self._pause(one, FULL_SECONDS)
            return
        try:
            await asyncio.wait([live.ending, stream.ended], return_when=asyncio.FIRST_COMPLETED)
            if stream.ended.done() and stream.ended.result().code == "removed_from_room":
                await asyncio.wait([live.ending])  # the ingress's session finds out by whom
            if live.ending.done() and live.ending.result() in _OUT_OF_ROOM:
                await self._pause_after(one, live.ending.result())
                # The state follows at once: closing the connections to LiveKit and to the camera can take seconds.
                live.end(live.ending.result())
            elif stream.ended.done():
                # A file that was played is not played again; a camera that ended its stream is.
                if stream.ended.result().code == "source_ended" and live.source == "http":
                    await self._finish(one)
                else:
                    await self._pause_after_failure(one, stream.ended.result().code)
            else:
                await self._pause_after(one, live.ending.result())
        finally:
            live.media = None  # its end is set below
            await asyncio.shield(stream.stop())

    async def _pause_after(self, one: Due, ending: Ending) -> None:
        if ending == REMOVED:
            await self._finish(one)  # an operator does not want it there
        elif ending == ROOM_ENDED:
            self._pause(one, AGAIN_SECONDS)

    async def _pause_after_failure(self, one: Due, code: str) -> None:
        if code == "auth_failed":
            version, times = self._refused.get(one.ingress_id, (0, 0))
            times = times if version == one.version else 0
            self._refused[one.ingress_id] = one.version, times + 1
            await self._finish(one, REFUSED_SECONDS[min(times, len(REFUSED_SECONDS) - 1)])
            return
        self._refused.pop(one.ingress_id, None)
        self._pause(one, FULL_SECONDS if code == "room_has_camera" else AGAIN_SECONDS)

    async def _finish(self, one: Due, seconds: float = _NEVER) -> None:
        """Do not begin again for so long, on any node, unless the ingress is changed."""
        self._pause(one, seconds)
        until = None if seconds == _NEVER else now_ms() + round(seconds * 1_000)
        try:
            await self._database.write(lambda tx: store.finish(tx, one, until))
        except StorageUnavailable as error:
            _log.warning("finished_pull_not_stored", ingress=one.ingress_id, error=str(error))

    def _read(self, tx: Transaction, one: Due) -> tuple[AuthenticatedIngress | None, str | None]:
        ingress, app = ingress_store.find_ingress(tx, one.app_id, one.ingress_id), app_by_id(tx, one.app_id)
        sealed = ingress_store.sealed_url(tx, one.ingress_id)
        opened = None if sealed is None else self._sealer.open(sealed)
        if ingress is None or app is None or sealed is None:
            return None, None
        return AuthenticatedIngress(ingress, app, None), None if opened is None else opened.decode()
