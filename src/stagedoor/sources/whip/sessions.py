"""WHIP sessions: from an encoder's offer to the end of its publication."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakValueDictionary

import structlog

from stagedoor.events.feed import Feed
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import (
    Invalid,
    MediaServerFailed,
    NotAcceptable,
    NotFound,
    Problem,
    StorageUnavailable,
    Unauthenticated,
)
from stagedoor.kernel.wrong_keys import WrongKeys
from stagedoor.sources.ingress import store as ingress_store
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.closing import LEFT, conclude
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.sessions import IngressSessions
from stagedoor.sources.whip import limits, store
from stagedoor.sources.whip.conditions import IfMatch, restarts
from stagedoor.sources.whip.sdp import (
    MalformedSdp,
    SessionDescription,
    UnacceptableOffer,
    check_answer,
    check_offer,
    livekit_fragment,
    parse_description,
)
from stagedoor.sources.whip.store import WhipSession
from stagedoor.sources.whip.upstream import Created, Restarted, WhipUpstream
from stagedoor.sources.whip.watch import SOURCE, WhipWatcher
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import livekit_name
from stagedoor.tenancy.store import app_by_id

_log = structlog.get_logger()

_SWEEP_SECONDS: Final = 5.0
"""Between two looks at what nodes have left in LiveKit."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """What an encoder gets for its offer.

    Attributes:
        app: The app's slug.
        room: The LiveKit name of the room.
        session: The last part of the session's URL, which cannot be guessed.
        etag: The id of the ICE session.
        links: The values of the `Link` headers with the ICE servers.
    """

    app: str
    room: str
    session: str
    answer: bytes
    etag: str
    links: tuple[str, ...]


class WhipSessions:
    """The sessions of the installation; those that began on this node are watched by it.

    Args:
        database: Where sessions are stored, for every node.
        feed: Where the end of a session that another node has is an event.
        ingresses: Who may publish, and the states of those that do.
        upstream: LiveKit's WHIP endpoint.
        watcher: Watches what becomes of sessions in LiveKit.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        ingresses: IngressSessions,
        upstream: WhipUpstream,
        watcher: WhipWatcher,
    ) -> None:
        self._database = database
        self._feed = feed
        self._ingresses = ingresses
        self._upstream = upstream
        self._watcher = watcher
        self._wrong_keys = WrongKeys()
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def authenticate(
        self, key: str | None, app: str | None, room: str | None, address: str
    ) -> AuthenticatedIngress:
        """The ingress whose key an encoder has.

        Args:
            key: The stream key; `None` without one.
            app: The app's slug as the encoder has it; `None` when the key alone names the room.
            room: The room, by short or LiveKit name, likewise.
            address: The encoder's IP address.

        Raises:
            Problem: The key or the room is wrong.
        """
        authenticated = await self._authenticate(key, address)
        if app is not None and not _is_of(authenticated, app, room or ""):
            raise NotFound("This key is for another app or room.", code="ingress_not_found")
        return authenticated

    async def create(self, authenticated: AuthenticatedIngress, offer: SessionDescription) -> NewSession:
        """Begin a session.

        Raises:
            Problem: The ingress may not publish now, or LiveKit refuses.
            UnacceptableOffer: The offer cannot be met as a whole.
        """
        turn = self._turns.setdefault(authenticated.ingress.id, asyncio.Lock())
        async with turn:  # of two offers LiveKit keeps the participant of the later one, and so do the tables
            created = await self._joined(authenticated, offer)
            try:
                return await self._begun(authenticated, offer, created)
            except BaseException:
                await self._watcher.leave(authenticated.app, authenticated.ingress, created.participant_sid)
                raise

    async def check(self, session: str, key: str | None) -> None:
        """See whether there is a session that the holder of the key may change.

        Raises:
            NotFound: There is none.
            Problem: The key is wrong.
        """
        await self._find(session, key)

    async def patch(
        self, session: str, key: str | None, condition: IfMatch, fragment: SessionDescription
    ) -> Restarted | None:
        """Add candidates to a session, or restart its ICE; `None` when nothing but candidates came.

        Args:
            session: The last part of the session's URL.
            key: The stream key, if the encoder sends it along.
            condition: Which ICE session it is for.
            fragment: The encoder's fragment.

        Raises:
            NotFound: There is no such session.
            Problem: The ICE session is another one by now, the key is wrong, or LiveKit refuses.
        """
        known, ingress, app = await self._find(session, key)
        restart = restarts(condition, etag=known.etag, same_credentials=fragment.ice_ufrag == known.ice_ufrag)
        token = (await self._ingresses.tokens.issue(app, ingress, SOURCE)).jwt
        if not restart:
            await self._trickle(token, known, known.mid, fragment)
            return None
        text = livekit_fragment(fragment, known.mid, candidates=False)
        restarted = await self._upstream.restart(token, known.participant_sid, text)
        after = replace(known, ice_ufrag=fragment.ice_ufrag or "", etag=restarted.etag)
        await self._database.write(
            lambda tx: store.set_ice_session(tx, after.digest, etag=after.etag, ice_ufrag=after.ice_ufrag)
        )
        await self._trickle(token, after, after.mid, fragment)
        return restarted

    async def delete(self, session: str, key: str | None) -> None:
        """End a session, through whichever node it began.

        Raises:
            NotFound: There is no such session.
            Problem: The key is wrong.
        """
        known, ingress, app = await self._find(session, key)
        live = self._ingresses.find(ingress.id)
        if live is not None and live.publication == known.publication:
            live.must_end(LEFT)
            await self._watcher.ended(live)
            return
        await self._watcher.leave(app, ingress, known.participant_sid)

        def end(tx: Transaction) -> None:
            store.delete_session(tx, known.publication)
            conclude(tx, self._feed, ingress, LEFT)

        await self._database.write(end)

    async def run(self) -> None:
        """End what killed nodes have left in LiveKit, until cancelled; encoders connect again by themselves."""
        while True:
            try:
                for left in await self._database.read(store.list_left_over):
                    await self._end_left_over(left)
            except StorageUnavailable as error:
                _log.warning("whip_sessions_unavailable", error=str(error))
            await asyncio.sleep(max(_SWEEP_SECONDS, self._database.poll_seconds))

    async def _end_left_over(self, left: WhipSession) -> None:
        live = self._ingresses.find(left.ingress_id)
        if live is not None and live.publication == left.publication:
            return  # its watcher ends it

        found = await self._database.read(lambda tx: _ingress_of(tx, left))
        if found is not None:
            ingress, app = found
            _log.info("whip_session_left_over", ingress=ingress.id)
            await self._watcher.leave(app, ingress, left.participant_sid)
        await self._database.write(lambda tx: store.delete_session(tx, left.publication))

    async def _authenticate(self, key: str | None, address: str) -> AuthenticatedIngress:
        try:
            return await self._ingresses.authenticate([key or ""], "whip")
        except Unauthenticated:
            too_many = self._wrong_keys.refusal(address)
            if too_many is not None:
                raise too_many from None
            raise

    async def _joined(self, authenticated: AuthenticatedIngress, offer: SessionDescription) -> Created:
        """Have LiveKit take the offer. A session that the ingress has goes on until LiveKit has."""
        try:
            check_offer(offer)
        except UnacceptableOffer as refused:
            await self._ingresses.refused(authenticated, SOURCE, not_acceptable(refused))
            raise
        await self._ingresses.check(authenticated, SOURCE)
        app, ingress = authenticated.app, authenticated.ingress
        try:
            token = (await self._ingresses.tokens.issue(app, ingress, SOURCE)).jwt
            created = await self._upstream.create(token, offer.text)
            try:
                check_answer(offer, _parsed_answer(created.answer))
                await self._trickle(token, created, offer.mid or "", offer)
            except BaseException:
                await self._watcher.leave(app, ingress, created.participant_sid)
                raise
        except UnacceptableOffer as refused:
            await self._ingresses.refused(authenticated, SOURCE, not_acceptable(refused))
            raise
        except Problem as problem:
            await self._ingresses.refused(authenticated, SOURCE, problem)
            raise
        return replace(created, answer=limits.limited(created.answer, app))

    async def _begun(
        self, authenticated: AuthenticatedIngress, offer: SessionDescription, created: Created
    ) -> NewSession:
        """Begin the publication of a participant that has joined, and store the session."""
        live = await self._ingresses.begin(authenticated, SOURCE, joined=True)
        session = secrets.token_urlsafe(24)
        known = WhipSession(
            digest(session),
            live.ingress.id,
            live.publication,
            created.participant_sid,
            offer.mid or "",
            offer.ice_ufrag or "",
            created.etag,
            now_ms(),
        )
        try:
            await self._database.write(lambda tx: store.save_session(tx, known))
        except BaseException as error:
            _fail(live, error)
            raise
        live.joined(created.participant_sid)
        self._watcher.watch(live, created.participant_sid)
        return NewSession(live.app.slug, live.room, session, created.answer, created.etag, created.links)

    async def _trickle(self, token: str, of: Created | WhipSession, mid: str, description: SessionDescription) -> None:
        if description.candidates:
            text = livekit_fragment(description, mid, candidates=True)
            await self._upstream.trickle(token, of.participant_sid, of.etag, text)

    async def _find(self, session: str, key: str | None) -> tuple[WhipSession, Ingress, App]:
        """The session with this URL, its ingress and its app.

        Raises:
            NotFound: There is none.
            Problem: The key that came with it is not that of its ingress.
        """
        hashed = digest(session)

        def look(tx: Transaction) -> tuple[WhipSession, Ingress, App] | None:
            known = store.find_session(tx, hashed)
            of = None if known is None else _ingress_of(tx, known)
            return None if known is None or of is None else (known, *of)

        found = await self._database.read(look)
        if found is None:
            raise NotFound("There is no such WHIP session.", code="whip_session_not_found")
        if key is not None:
            authenticated = await self._ingresses.authenticate([key], "whip")
            if authenticated.ingress.id != found[0].ingress_id:
                raise NotFound("There is no such WHIP session.", code="whip_session_not_found")
        return found


def _ingress_of(tx: Transaction, session: WhipSession) -> tuple[Ingress, App] | None:
    """The ingress of a session and its app; `None` when they are gone."""
    permitted = ingress_store.permitted(tx, [session.ingress_id]).get(session.ingress_id)
    app = None if permitted is None else app_by_id(tx, permitted.ingress.app_id)
    return None if permitted is None or app is None else (permitted.ingress, app)


def _parsed_answer(answer: bytes) -> SessionDescription:
    try:
        return parse_description(answer)
    except MalformedSdp:
        raise MediaServerFailed("LiveKit's answer is not SDP.", code="whip_refused") from None


def _is_of(authenticated: AuthenticatedIngress, app: str, room: str) -> bool:
    if authenticated.app.slug != app:
        return False
    try:
        return livekit_name(app, room) == authenticated.ingress.livekit_room
    except Invalid:
        return False


def not_acceptable(refused: UnacceptableOffer) -> NotAcceptable:
    """The problem that the encoder is answered with."""
    return NotAcceptable(str(refused), code="offer_not_acceptable")


def _fail(live: LiveIngress, error: BaseException) -> None:
    if isinstance(error, Problem):
        live.fail(error.code, error.detail)
    else:
        live.end(LEFT)
