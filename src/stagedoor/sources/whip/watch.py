"""Watches what becomes of a WHIP session in LiveKit, which carries its media: connected, published, gone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.kernel.errors import NotFound, Problem, StorageUnavailable, Unavailable
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import SOURCE_ATTRIBUTE, ParticipantSnapshot, TrackSnapshot
from stagedoor.rooms import presence
from stagedoor.sources.ingress.closing import LEFT, LIVEKIT_LOST, REMOVED, REPLACED, ROOM_ENDED, Ending
from stagedoor.sources.ingress.joining import IngressTokens
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import Audio, Video
from stagedoor.sources.whip import limits, store
from stagedoor.sources.whip.upstream import WhipUpstream
from stagedoor.storage import Database
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()

SOURCE: Final = "whip"
"""The protocol, as the participant's attribute names it."""

CONNECT_SECONDS: Final = 30.0
"""How long an encoder has from its offer to its first track. ICE gives up after about as long."""

_CONNECTING_SECONDS: Final = 0.25
_CONNECTED_SECONDS: Final = 2.0
"""Between two looks at the participant. LiveKit ends it some 20 s after the encoder has vanished."""

_LISTED_SECONDS: Final = 5.0
_MEASURE_SECONDS: Final = 10.0
_REASON_SECONDS: Final = 3.0

_REASONS: Final = {
    "DUPLICATE_IDENTITY": REPLACED,
    "PARTICIPANT_REMOVED": REMOVED,
    "ROOM_DELETED": ROOM_ENDED,
    "ROOM_CLOSED": ROOM_ENDED,
    "SERVER_SHUTDOWN": LIVEKIT_LOST,
}
"""LiveKit's reasons for the end of a participant; after any other the encoder has left."""

_SAMPLE_RATES: Final = {"opus": 48_000, "red": 48_000, "pcmu": 8_000, "pcma": 8_000}
"""RFC 7587, section 4.1, and RFC 3551."""


class WhipWatcher:
    """Watches the sessions that began on this node.

    Args:
        database: Where sessions are stored.
        gateway: LiveKit, to look at participants.
        tokens: Issues the tokens with which sessions are ended.
        upstream: LiveKit's WHIP endpoint.
        connect_seconds: How long an encoder has from its offer to its first track.
    """

    def __init__(
        self,
        database: Database,
        gateway: LiveKitGateway,
        tokens: IngressTokens,
        upstream: WhipUpstream,
        *,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._tokens = tokens
        self._upstream = upstream
        self._connect_seconds = connect_seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def watch(self, live: LiveIngress, participant_sid: str) -> None:
        """Watch a session until it is over, and store its end."""
        name = f"whip {live.ingress.id}"
        task = self._tasks[live.publication] = asyncio.create_task(self._watch(live, participant_sid), name=name)
        task.add_done_callback(lambda _: self._tasks.pop(live.publication, None))

    async def ended(self, live: LiveIngress) -> None:
        """Wait until a session that must end has ended."""
        task = self._tasks.get(live.publication)
        if task is not None:
            await asyncio.wait([task])

    async def leave(self, app: App, ingress: Ingress, participant_sid: str) -> None:
        """Remove a session's participant.

        By its SID, which only LiveKit's WHIP endpoint can: a newer session of the ingress may have its identity by now.
        """
        try:
            token = (await self._tokens.issue(app, ingress, SOURCE)).jwt
            await self._upstream.delete(token, participant_sid)
        except NotFound:
            pass
        except Unavailable as problem:
            _log.warning("whip_participant_not_removed", ingress=ingress.id, reason=problem.detail)
        except Problem:  # no token is issued for it any more: it is banned, or its session is over
            await self._remove(ingress, participant_sid)

    async def _remove(self, ingress: Ingress, participant_sid: str) -> None:
        try:
            found = await self._gateway.participant(ingress.livekit_room, ingress.identity)
            if found.sid == participant_sid:
                await self._gateway.remove_participant(ingress.livekit_room, ingress.identity)
        except NotFound:
            pass
        except Problem as problem:
            _log.warning("whip_participant_not_removed", ingress=ingress.id, reason=problem.detail)

    async def _watch(self, live: LiveIngress, participant_sid: str) -> None:
        watched = _Watched(live, participant_sid, time.monotonic(), self._connect_seconds)
        try:
            while not live.ending.done():
                if not await self._look(watched):
                    break
                pause = _CONNECTED_SECONDS if live.state.started_at else _CONNECTING_SECONDS
                await asyncio.wait([live.ending], timeout=pause)
        finally:
            why = live.ending.result() if live.ending.done() else LEFT
            await self.leave(live.app, live.ingress, participant_sid)
            with contextlib.suppress(StorageUnavailable):
                await self._database.write(lambda tx: store.delete_session(tx, live.publication))
            live.end(why)

    async def _look(self, watched: _Watched) -> bool:
        """Note what LiveKit has of the participant; false when the session is over."""
        live, now = watched.live, time.monotonic()
        try:
            found = await self._gateway.participant(live.room, live.ingress.identity)
        except NotFound:
            found = None
        except Problem:
            watched.unreachable = True
            if live.state.started_at is not None:
                live.interrupted("livekit_unreachable", "LiveKit does not answer.")
            return True
        if found is None or found.sid != watched.participant_sid:
            if now < watched.listed_by:
                return True
            if live.state.started_at is None:
                live.must_end(
                    _failed("connection_failed", "The encoder's connection to LiveKit (ICE, DTLS) was not made.")
                )
            else:
                live.must_end(await self._why_gone(watched, found))
            return False
        if found.tracks:
            return await self._published(watched, found)
        if live.state.started_at is None and now > watched.connected_by:
            live.must_end(_failed("connection_failed", "The encoder sent no media after its offer."))
            return False
        return True

    async def _published(self, watched: _Watched, found: ParticipantSnapshot) -> bool:
        """Note what is published; false when it is beyond a limit of the app."""
        live = watched.live
        found = await self._measured(watched, found)
        video = next((_video(track) for track in found.tracks if track.kind == "video"), None)
        audio = next((_audio(track) for track in found.tracks if track.kind == "audio"), None)
        beyond = limits.exceeded(video, live.app)
        if beyond is not None:
            live.must_end(_failed("limit_exceeded", beyond))
            return False
        if live.state.status == "publishing":
            live.has_changed(video, audio)
        else:
            live.published(video, audio)
        return True

    async def _measured(self, watched: _Watched, found: ParticipantSnapshot) -> ParticipantSnapshot:
        """The participant with the sizes that its layers have now.

        LiveKit 1.13.5 lists a track as it was when the participant last changed, which is mostly before its first key
        frame, or with the first layer of several. A change makes it list what it knows: the attribute that is set is
        the one that the participant has. All participants of the room are notified, so it is not done often.
        """
        videos = [track for track in found.tracks if track.kind == "video"]
        now = time.monotonic()
        if not videos or (all(track.width for track in videos) and now < watched.measure_at):
            return found
        watched.measure_at = now + _MEASURE_SECONDS
        try:
            after = await self._gateway.update_participant(
                watched.live.room, found.identity, attributes={SOURCE_ATTRIBUTE: SOURCE}
            )
        except Problem:
            return found
        return after if after.sid == found.sid and after.tracks else found

    async def _why_gone(self, watched: _Watched, other: ParticipantSnapshot | None) -> Ending:
        """Why a participant that published is in the room no more, when the session was not ended here.

        LiveKit's webhook says it, a moment later than its list. Where none comes, LiveKit was killed: then the room is
        another one by now, or there is none.

        Args:
            watched: The session.
            other: Who has its identity now.
        """
        live = watched.live
        deadline = time.monotonic() + _REASON_SECONDS
        sids = [watched.participant_sid]
        while time.monotonic() < deadline:
            with contextlib.suppress(StorageUnavailable):
                reasons = await self._database.read(lambda tx: presence.reasons_of_leaving(tx, sids))
                reason = reasons.get(watched.participant_sid)
                if reason == "SERVER_SHUTDOWN":  # of both, where the whole machine stops
                    await asyncio.wait([live.ending], timeout=_CONNECTING_SECONDS)
                if reason is not None:
                    return _REASONS.get(reason, LEFT)
            await asyncio.wait([live.ending], timeout=_CONNECTING_SECONDS)
            if live.ending.done():
                return live.ending.result()
        if other is not None:
            return REPLACED
        return LIVEKIT_LOST if watched.unreachable or await self._is_other_room(watched) else LEFT

    async def _is_other_room(self, watched: _Watched) -> bool:
        """Whether LiveKit has not the room any more that the participant was in."""
        live = watched.live
        try:
            now = await self._gateway.find_room(live.room)
        except Problem:
            return True
        if now is None or now.created_at is None or live.state.started_at is None:
            return now is None
        return now.created_at > live.state.started_at


@dataclass(slots=True)
class _Watched:
    """A session that is watched. Times are of the monotonic clock.

    Attributes:
        since: When it began.
        connect_seconds: How long its encoder has until its first track.
        measure_at: When the sizes of its layers are asked for again.
        unreachable: Whether LiveKit once did not answer.
    """

    live: LiveIngress
    participant_sid: str
    since: float
    connect_seconds: float
    measure_at: float = 0.0
    unreachable: bool = False

    @property
    def connected_by(self) -> float:
        """When its encoder must have sent something."""
        return self.since + self.connect_seconds

    @property
    def listed_by(self) -> float:
        """When LiveKit lists its participant at the latest; before that the one of an earlier session may be there, or
        the end of that one has taken both from the list."""
        return self.since + min(_LISTED_SECONDS, self.connect_seconds)


def _failed(code: str, message: str) -> Ending:
    """An end because of an error. The state says so once the participant has left the room, as with every other end."""
    return Ending(code, message, failed=True)


def _video(track: TrackSnapshot) -> Video:
    return Video(_codec(track), width=track.width or None, height=track.height or None)


def _audio(track: TrackSnapshot) -> Audio:
    codec = _codec(track)
    return Audio(codec, sample_rate=_SAMPLE_RATES.get(codec), passthrough=True)


def _codec(track: TrackSnapshot) -> str:
    """The codec of a media type such as `video/H264`."""
    return track.mime_type.rpartition("/")[2].lower()
