"""What was so: LiveKit's own lists, looked at over and over while people come and go.

Nothing here is assumed to take some time: each fact has the earliest and the latest moment at which it can have become
true, from the looks before and after it; a slow machine only makes them lie further apart.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final, Self

import aiohttp
from livekit import api as livekit
from livekit.protocol import models
from livekit.protocol.room import ListParticipantsRequest, ListRoomsRequest

from stagedoor.kernel.clock import now_ms
from tests.support.product import KEY, SECRET, RunningProduct, eventually
from tests.support.rooms_invariants import ours

_PAUSE_SECONDS: Final = 0.1
_RUNS: Final = 'stagedoor_reconcile_runs_total{result="ok"} '
FOREVER: Final = 2**53


@dataclass(frozen=True, slots=True)
class Listed:
    """A participant in one of LiveKit's lists."""

    sid: str
    identity: str
    active: bool
    joined_at: int
    tracks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Life:
    """One of LiveKit's rooms, with who was in it."""

    sid: str
    name: str
    created_at: int
    people: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """LiveKit's lists between two moments; `comparisons` is how many Stagedoor had done, or `None` if it was dead."""

    asked: int
    answered: int
    lives: tuple[Life, ...]
    comparisons: int | None

    @property
    def people(self) -> dict[str, Listed]:
        return {person.sid: person for life in self.lives for person in life.people}

    @property
    def shape(self) -> dict[str, dict[str, tuple[str, str, frozenset[str]]]]:
        """By SID of room and participant: who, whether active, and what they publish."""
        return {
            life.sid: {
                one.sid: (one.identity, "active" if one.active else "joining", one.tracks) for one in life.people
            }
            for life in self.lives
        }


@dataclass(slots=True)
class Span:
    """When something began and ended, each between two moments."""

    from_: int
    seen: int
    """The first look that had it was answered by then."""
    last: int
    """The last look that had it was asked then."""
    gone: int = FOREVER
    """The first look without it was answered by then."""


@dataclass(slots=True)
class Presence:
    """A participant's stay in a room."""

    person: Listed
    room: Life
    span: Span
    active: Span | None = None
    tracks: dict[str, Span] = field(default_factory=dict[str, Span])


@dataclass(slots=True)
class History:
    """What the looks add up to, by SID."""

    rooms: dict[str, tuple[Life, Span]] = field(default_factory=dict[str, tuple[Life, Span]])
    people: dict[str, Presence] = field(default_factory=dict[str, Presence])


class Chronicle:
    """Looks at LiveKit's lists until it is closed."""

    def __init__(self, product: RunningProduct, http: aiohttp.ClientSession) -> None:
        assert product.external is not None
        self._product = product
        self._http = http
        self._livekit = livekit.LiveKitAPI(product.external.url, KEY, SECRET)
        self._comparisons = 0
        self._before = 0
        self.looks: list[Look] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="chronicle")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._livekit.aclose()  # pyright: ignore[reportUnknownMemberType]  # it has no types

    async def _run(self) -> None:
        while True:
            look = await self._look()
            if look is not None:
                self.looks.append(look)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def now(self) -> Look:
        """A look that begins after this was called."""
        called = now_ms()

        async def fresh() -> Look | None:
            assert not self._task.done(), self._task
            return self.looks[-1] if self.looks and self.looks[-1].asked > called else None

        found: Look = await eventually(fresh)
        return found

    async def compared(self, times: int = 1) -> None:
        """Return when so many comparisons have begun and ended meanwhile."""
        begin = (await self.now()).comparisons
        assert begin is not None

        async def more() -> bool:
            return self.looks[-1].comparisons is not None and self.looks[-1].comparisons > begin + times

        await eventually(more, 30)

    async def _look(self) -> Look | None:
        """Nothing when LiveKit is dead, or a room ended or began while we were asking."""
        asked = now_ms()
        try:
            rooms = await self._rooms()
            lives = [
                Life(sid, room.name, room.creation_time_ms, await self._people(room.name))
                for sid, room in rooms.items()
            ]
            if rooms.keys() != (await self._rooms()).keys():
                return None
        except livekit.ServerError as error:
            if error.code != "not_found":
                raise
            return None
        except aiohttp.ClientError:
            return None
        return Look(asked, now_ms(), tuple(lives), await self._count())

    async def _rooms(self) -> dict[str, models.Room]:
        """The app's; Stagedoor makes one of its own now and then, to ask LiveKit for its version."""
        answer = await self._livekit.room.list_rooms(ListRoomsRequest())
        return {room.sid: room for room in answer.rooms if ours(room.name)}

    async def _people(self, room: str) -> tuple[Listed, ...]:
        answer = await self._livekit.room.list_participants(ListParticipantsRequest(room=room))
        return tuple(
            Listed(
                one.sid,
                one.identity,
                one.state == models.ParticipantInfo.ACTIVE,
                one.joined_at_ms,
                frozenset(track.sid for track in one.tracks),
            )
            for one in answer.participants
            if one.state != models.ParticipantInfo.DISCONNECTED
        )

    async def _count(self) -> int | None:
        """Comparisons since the beginning; a Stagedoor that was started again counts from nothing."""
        try:
            async with self._http.get(f"{self._product.url}/metrics") as answer:
                text = await answer.text()
        except aiohttp.ClientError:
            return None
        done = int(float(text.split(f"\n{_RUNS}", 1)[1].split("\n", 1)[0]))
        if self._before + done < self._comparisons:
            self._before = self._comparisons
        self._comparisons = self._before + done
        return self._comparisons

    def history(self) -> History:
        """What all looks together say."""
        found = History()
        earlier = 0
        for look in self.looks:
            for life in look.lives:
                _, span = found.rooms.setdefault(life.sid, (life, Span(earlier, look.answered, look.asked)))
                span.last = look.asked
                for person in life.people:
                    self._take(found, life, person, look, earlier)
            _close([span for _, span in found.rooms.values()], look)
            for presence in found.people.values():
                _close([presence.span, *presence.tracks.values(), *filter(None, [presence.active])], look)
            earlier = look.asked
        return found

    @staticmethod
    def _take(found: History, life: Life, person: Listed, look: Look, earlier: int) -> None:
        presence = found.people.get(person.sid)
        if presence is None:
            presence = found.people[person.sid] = Presence(person, life, Span(earlier, look.answered, look.asked))
        assert presence.room.sid == life.sid, "LiveKit gives a new SID to each presence"
        presence.person = person
        presence.span.last = look.asked
        if person.active:
            presence.active = presence.active or Span(earlier, look.answered, look.asked)
            presence.active.last = look.asked
        for sid in person.tracks:
            presence.tracks.setdefault(sid, Span(earlier, look.answered, look.asked)).last = look.asked

    def comparisons(self) -> list[tuple[int, int]]:
        """Of each comparison a moment after which it began at the earliest, and one by which it had ended.

        Both are on the safe side: it began after a look at which the one before it had not ended yet.
        """
        counted = [(look.asked, look.answered, look.comparisons) for look in self.looks if look.comparisons is not None]
        found: list[tuple[int, int]] = []
        for number in range(2, max((count for *_, count in counted), default=0) + 1):
            begun = max((asked for asked, _, count in counted if count < number - 1), default=None)
            if begun is not None:
                found.append((begun, next(answered for _, answered, count in counted if count >= number)))
        return found


def _close(spans: list[Span], look: Look) -> None:
    for span in spans:
        if span.last < look.asked and span.gone == FOREVER:
            span.gone = look.answered
