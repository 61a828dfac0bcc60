"""The publications of this node's ingresses, whatever the protocol: who may publish, and when they must end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, Problem, StorageUnavailable, Unavailable
from stagedoor.kernel.ids import new_id
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import presence
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.authentication import AuthenticatedIngress, IngressAuthenticator
from stagedoor.sources.ingress.claim import Claim, admit, check, note_refusal
from stagedoor.sources.ingress.closing import (
    CHANGED,
    DELETED,
    DISABLED,
    REMOVED,
    REPLACED,
    ROOM_ENDED,
    ROTATED,
    STOPPING,
    Ending,
    close_left_over,
)
from stagedoor.sources.ingress.joining import IngressTokens
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.metrics import INGRESS_ADMISSIONS, INGRESS_ENDS, INGRESSES
from stagedoor.sources.ingress.nouns import InputType
from stagedoor.sources.ingress.recorder import LEASE_MS, Recorder
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import Failure
from stagedoor.sources.ingress.store import Permitted
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()

_RENEW_SECONDS: Final = LEASE_MS / 3_000
_GATHER_SECONDS: Final = 0.05
"""How long events are collected before rooms are looked at, so that one look serves many events."""

_LEAVING_SECONDS: Final = 3.0
_SID_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)

_REMOVAL_SECONDS: Final = (0.0, 0.3, 0.7, 1.0, 2.0)

_REMOVALS: Final = {"PARTICIPANT_REMOVED": REMOVED, "ROOM_DELETED": ROOM_ENDED}
"""LiveKit's reasons after which an ingress does not join again by itself: an operator removed it. After any other it
joins again, and a participant that took its identity is refused then."""


class IngressSessions:
    """The publications of this node.

    A protocol calls `authenticate` and `begin`, and owns what it gets: see `LiveIngress`.

    Args:
        database: Where ingresses and their states are stored.
        feed: Where their transitions are events, and from which joins and departures are known.
        gateway: LiveKit, to find out as which participant an ingress is in its room.
        tokens: Issues join tokens.
        node: This node's name, unique in the cluster.
        recorder: Stores states.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        gateway: LiveKitGateway,
        tokens: IngressTokens,
        node: str,
        recorder: Recorder | None = None,
    ) -> None:
        self.tokens: Final = tokens
        self._database = database
        self._feed = feed
        self._gateway = gateway
        self._node = node
        self._recorder = recorder or Recorder(database, feed, node)
        self._authenticator = IngressAuthenticator(database)
        self._live: dict[str, LiveIngress] = {}
        self._following: set[asyncio.Task[None]] = set()
        self._learning: set[asyncio.Task[None]] = set()
        self._asked = asyncio.Event()
        self._departed: set[str] = set()  # publications whose participant has left, and whose next one is not known
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._renewed = time.monotonic()
        self._stopped = False
        self._listeners: list[Callable[[], None]] = []
        feed.listen(self._on_event)

    def current(self) -> tuple[LiveIngress, ...]:
        """All publications of this node."""
        return tuple(self._live.values())

    def find(self, ingress_id: str) -> LiveIngress | None:
        """The publication of an ingress on this node."""
        return self._live.get(ingress_id)

    def forget(self) -> None:
        """An ingress or an app has changed: look it up again, and see at once whether what is published still may."""
        self._authenticator.forget()
        self._asked.set()
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when an ingress or an app is changed through this node."""
        self._listeners.append(listener)

    async def authenticate(self, candidates: Sequence[str], input_type: InputType) -> AuthenticatedIngress:
        """The ingress that has one of the keys; see `IngressAuthenticator`.

        Raises:
            Problem: There is none, or it may not be used.
        """
        try:
            return await self._authenticator.authenticate(candidates, input_type)
        except Problem as problem:
            INGRESS_ADMISSIONS.labels(input_type, problem.code).inc()
            raise

    async def check(self, authenticated: AuthenticatedIngress, source: str) -> None:
        """See whether a publication could begin now. What is published goes on.

        Raises:
            Problem: As `begin`.
        """
        claim = Claim(authenticated.ingress, authenticated.digest, "", self._node)
        try:
            await self.tokens.issue(authenticated.app, authenticated.ingress, source)
            await self._database.write(lambda tx: check(tx, claim))
        except Problem as problem:
            await self.refused(authenticated, source, problem)
            raise

    async def refused(self, authenticated: AuthenticatedIngress, source: str, problem: Problem) -> None:
        """Note why an encoder that has the ingress's key was refused. What is published goes on."""
        ingress = authenticated.ingress
        INGRESS_ADMISSIONS.labels(source, problem.code).inc()
        _log.info("ingress_refused", ingress=ingress.id, code=problem.code, reason=problem.detail)
        with contextlib.suppress(StorageUnavailable):
            await self._database.write(lambda tx: note_refusal(tx, self._feed, ingress, problem))

    async def begin(self, authenticated: AuthenticatedIngress, source: str, *, joined: bool = False) -> LiveIngress:
        """Begin a publication. Another one of the same ingress is ended, on whichever node it is.

        Args:
            authenticated: Whose publication it is.
            source: The protocol, as the participant's attribute names it: rtmp, whip, rtsp, …
            joined: Whether its participant is in the room already.

        Raises:
            Problem: It may not publish: it was disabled meanwhile, the identity is banned, the session is over or for
                voice only, another one publishes and is not to be replaced, or too many of the app do.
        """
        if self._stopped:
            raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
        ingress = authenticated.ingress
        claim = Claim(ingress, authenticated.digest, new_id("pub"), self._node)
        try:
            if not joined:
                with contextlib.suppress(Unavailable):  # LiveKit is away: it is asked again when the stream joins
                    await self.tokens.issue(authenticated.app, ingress, source)
            state = await self._database.write(lambda tx: admit(tx, self._feed, claim))
        except Problem as problem:
            await self.refused(authenticated, source, problem)
            raise
        INGRESS_ADMISSIONS.labels(source, "admitted").inc()
        live = LiveIngress(authenticated, source, claim.publication, state)
        before = self._live.get(ingress.id)
        if before is not None:
            before.must_end(REPLACED)
        self._live[ingress.id] = live
        live.on_published = lambda: _spawn(self._learning, self._learn_sid(live), f"participant of {ingress.id}")
        live.on_removed = lambda failure: _spawn(
            self._learning, self._learn_removal(live, failure), f"removal of {ingress.id}"
        )
        _spawn(self._following, self._follow(live), f"ingress {ingress.id}")
        _log.info("ingress_began", ingress=ingress.id, source=source, room=ingress.livekit_room)
        return live

    def taken_over(self, authenticated: AuthenticatedIngress) -> LiveIngress | None:
        """The publication of the ingress on this node, when another encoder with the same key may go on with it as the
        same participant; `None` when it has to begin one of its own."""
        live = self._live.get(authenticated.ingress.id)
        if live is None or live.over or live.ending.done() or live.ingress != authenticated.ingress:
            return None
        if live.digest != authenticated.digest or authenticated.app.settings.of(IngressSettings).conflict != "takeover":
            return None
        INGRESS_ADMISSIONS.labels(live.source, "taken_over").inc()
        _log.info("ingress_taken_over", ingress=live.ingress.id, source=live.source)
        return live

    async def start(self) -> None:
        """Close what this node left open when it was killed; call it before anything is published."""
        closed = await self._database.write(lambda tx: close_left_over(tx, self._feed, now_ms(), self._node))
        if closed:
            _log.warning("ingress_states_closed", count=closed)

    async def run(self) -> None:
        """See whether what is published still may, until cancelled."""
        while True:
            self._asked.clear()
            try:
                await self._look()
            except StorageUnavailable as error:
                _log.warning("ingresses_unavailable", error=str(error))
            wait = min(_RENEW_SECONDS, self._database.poll_seconds)
            try:
                async with asyncio.timeout(wait):
                    await self._asked.wait()
                await asyncio.sleep(_GATHER_SECONDS)
            except TimeoutError:
                pass  # this node is not notified of what happens through another node

    async def close(self) -> None:
        """End every publication, because Stagedoor stops, and wait until their ends are stored."""
        self._stopped = True
        for live in self.current():
            live.must_end(STOPPING)
        for task in self._learning:
            task.cancel()
        for _ in range(2):
            if self._following:
                await asyncio.wait(self._following, timeout=_LEAVING_SECONDS)
            for live in self.current():  # whose owners did not end them
                live.end(STOPPING)

    def _on_event(self, app_id: str) -> None:
        if any(live.app.id == app_id for live in self._live.values()):
            self._asked.set()

    async def _follow(self, live: LiveIngress) -> None:
        ingress_id = live.ingress.id
        await self._recorder.follow(live)
        if not live.over:  # another one has its place, or it was ended through the API
            self._asked.set()
            why = await live.ending
            live.end(why)
        reason = live.ending.result().code
        INGRESS_ENDS.labels(live.source, reason).inc()
        _log.info("ingress_ended", ingress=ingress_id, source=live.source, reason=reason)
        if self._live.get(ingress_id) is live:
            del self._live[ingress_id]
        self._seen.pop(live.publication, None)
        self._departed.discard(live.publication)

    async def _learn_sid(self, live: LiveIngress) -> None:
        """Find out as which participant it is in the room, which webhooks say later."""
        for seconds in _SID_SECONDS:
            await asyncio.sleep(seconds)
            if live.over:
                return
            try:
                found = await self._gateway.participant(live.room, live.ingress.identity)
            except NotFound:
                continue
            except Problem as problem:
                _log.info("ingress_participant_unknown", ingress=live.ingress.id, reason=problem.detail)
                continue
            live.joined(found.sid)
            return

    async def _learn_removal(self, live: LiveIngress, failure: Failure) -> None:
        """Find out why LiveKit has removed a participant: another encoder has taken over on another node, an operator
        removed it, or Stagedoor stops. LiveKit's webhook comes a moment later than the end of the connection."""
        for seconds in _REMOVAL_SECONDS:
            await asyncio.wait([live.ending], timeout=seconds)
            if live.ending.done():
                return
            with contextlib.suppress(StorageUnavailable):
                await self._end_what_may_not([live])
        if not live.ending.done():
            live.fail(failure.code, failure.message)

    async def _look(self) -> None:
        self._count()
        lives = [live for live in self.current() if not live.over]
        if lives:
            await self._end_what_may_not(lives)
        if time.monotonic() - self._renewed >= _RENEW_SECONDS:
            await self._renew(lives)

    async def _end_what_may_not(self, lives: Sequence[LiveIngress]) -> None:
        rooms = {live.room for live in lives}
        sids = {live.state.participant_sid for live in lives} - {None}

        def look(
            tx: Transaction,
        ) -> tuple[dict[str, Permitted], list[tuple[str, str, str]], dict[str, str]]:
            permitted = store.permitted(tx, [live.ingress.id for live in lives])
            present = presence.present_sids(tx, rooms)
            return permitted, present, presence.reasons_of_leaving(tx, [sid for sid in sids if sid is not None])

        permitted, present, departed = await self._database.read(look)
        for live in lives:
            why = _revoked(live, permitted.get(live.ingress.id)) or _REMOVALS.get(
                departed.get(live.state.participant_sid or "", "")
            )
            if why is not None:
                live.must_end(why)
                continue
            there = [(sid, identity) for room, sid, identity in present if room == live.room]
            if live.state.participant_sid in departed:
                live.joined(None)
                self._departed.add(live.publication)
            if live.publication in self._departed:  # it joins again by itself, as another participant
                own = [sid for sid, identity in there if identity == live.ingress.identity and sid not in departed]
                if own:
                    live.joined(own[-1])
                    self._departed.discard(live.publication)
            others = {sid for sid, identity in there if identity != live.ingress.identity}
            seen = self._seen[live.publication]
            if others - seen:
                live.request_key_frame()
            self._seen[live.publication] = others

    async def _renew(self, lives: Sequence[LiveIngress]) -> None:
        """Renew the leases of this node's publications, and close those of nodes that are gone."""
        if lives:
            until = now_ms() + LEASE_MS
            publications = [live.publication for live in lives]
            renewed = await self._database.write(lambda tx: store.renew_leases(tx, publications, until))
            for live in lives:
                if live.publication not in renewed:
                    live.store_again()
        if await self._database.read(lambda tx: store.has_left_over(tx, now_ms())):
            await self._database.write(partial(close_left_over, feed=self._feed, now=now_ms(), node=None))
        self._renewed = time.monotonic()

    def _count(self) -> None:
        statuses = [live.state.status for live in self.current()]
        for status in ("connecting", "publishing", "reconnecting"):
            INGRESSES.labels(status).set(statuses.count(status))


def _revoked(live: LiveIngress, permitted: Permitted | None) -> Ending | None:
    """Why the publication may not go on, as the tables have it."""
    if permitted is None:
        return DELETED
    if permitted.publication == live.publication:
        return None
    if not permitted.ingress.enabled:
        return DISABLED
    if permitted.digest != live.digest:
        return ROTATED
    return CHANGED if permitted.publication is None else REPLACED


def _spawn(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None], name: str) -> None:
    task = asyncio.create_task(work, name=name)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
