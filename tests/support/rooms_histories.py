"""Hypothesis strategies: what happens in a LiveKit, and what becomes of the webhooks on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stagedoor.mediaserver.snapshots import ServerState
from tests.support.rooms_model import LiveKitModel, Sent, Whereabouts

ROOMS = ("live-a", "live-b", "live-a-b", "stranger-x")
"""The last is no app's."""
IDENTITIES = ("ann", "bob", "cleo")
KINDS = ("standard", "standard", "agent", "ingress")
REASONS = ("CLIENT_INITIATED", "CLIENT_INITIATED", "PARTICIPANT_REMOVED", "CONNECTION_TIMEOUT", "MEDIA_FAILURE")
_ACTIONS = (
    "create", "join", "join", "join", "connect", "activate", "reconnect", "leave", "leave", "publish", "publish",
    "publish", "unpublish", "finish", "crash",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """What happened, what LiveKit sent meanwhile, and what it listed after each step."""

    model: LiveKitModel
    listings: tuple[ServerState, ...]

    @property
    def sent(self) -> Sequence[Sent]:
        return self.model.sent


@dataclass(frozen=True)
class Step:
    """Something that happens `gap` milliseconds after what was before, to the `one`th of what it can happen to."""

    action: str
    one: int
    other: int
    gap: int


_GAPS = (0, 1, 180, 750, 1000, 20_000)


def play(
    chance: Random,
    length: int,
    *,
    names: Sequence[str] = ROOMS,
    roomless: bool = True,
    crashes: bool = True,
) -> History:
    """A history of `length` steps; with `roomless`, some track events do not say where (livekit/livekit#3725)."""
    model = LiveKitModel()
    listings: list[ServerState] = []
    whereabouts: tuple[Whereabouts, ...] = ("named", "named", "nameless", "absent") if roomless else ("named",)
    actions = _ACTIONS if crashes else tuple(action for action in _ACTIONS if action != "crash")
    for _ in range(length):
        step = Step(chance.choice(actions), chance.randrange(12), chance.randrange(12), chance.choice(_GAPS))
        model.now += step.gap
        take(model, step, names, whereabouts)
        listings.append(model.listing())
    model.now += 30_000
    return History(model, tuple(listings))


def take(model: LiveKitModel, step: Step, names: Sequence[str], whereabouts: Sequence[Whereabouts]) -> None:
    """Let it happen, if there is anything that it can happen to."""
    name = names[step.one % len(names)]
    identity = IDENTITIES[step.other % len(IDENTITIES)]
    kind = KINDS[step.other % len(KINDS)]
    if step.action == "create":
        model.create(name)
    elif step.action == "connect":
        model.connect(name, identity, kind=kind, named=step.other % 2 == 0)
    elif step.action == "join":
        person = model.connect(name, identity, kind=kind)
        room = model.create(name)
        model.now += 120
        model.activate(room, person)
    elif step.action == "crash":
        model.crash()
    elif step.action == "finish":
        if model.live:
            model.finish(model.live[step.one % len(model.live)])
    else:
        _to_one_participant(model, step, whereabouts)


def _to_one_participant(model: LiveKitModel, step: Step, whereabouts: Sequence[Whereabouts]) -> None:
    found = list(model.present())
    if not found:
        return
    room, person = found[step.one % len(found)]
    where = whereabouts[step.other % len(whereabouts)]
    if step.action == "activate":
        model.activate(room, person)
    elif step.action == "leave":
        model.leave(room, person, REASONS[step.other % len(REASONS)])
    elif person.active_at is None:
        return  # who is not connected can do nothing else
    elif step.action == "reconnect":
        model.reconnect(room, person)
    elif step.action == "publish":
        model.publish(room, person, "video" if step.other % 2 else "audio", where)
    elif step.action == "unpublish" and person.live_tracks:
        model.unpublish(room, person, person.live_tracks[step.other % len(person.live_tracks)], where)


@dataclass(frozen=True)
class Compare:
    """A comparison with what LiveKit listed at some time of the history."""

    state: ServerState

    def __repr__(self) -> str:
        return f"compare {[(room.sid, [person.sid for person in people]) for room, people in self.state.rooms]}"


Arrival = Sent | Compare


def arrive(chance: Random, history: History, *, lossy: bool = True, compares: bool = True) -> list[Arrival]:
    """The history's webhooks as they may come: in any order, some several times, with `lossy` some never.

    With `compares`, comparisons with LiveKit's lists come in between, as old or as new as they like.
    """
    copies = chance.choice(((1,), (1, 2), (0, 1), (0, 1, 2), (0, 0, 0, 1))) if lossy else (1, 1, 2)
    found: list[Arrival] = []
    for sent in history.sent:
        found += [sent] * chance.choice(copies)
    how = chance.choice(("in order", "nearly", "any"))
    if how == "any":
        chance.shuffle(found)
    elif how == "nearly":
        for _ in range(min(4, len(found) - 1)):
            index = chance.randrange(len(found) - 1)
            found[index], found[index + 1] = found[index + 1], found[index]
    if compares:
        for _ in range(chance.randrange(4)):
            found.insert(chance.randint(0, len(found)), Compare(chance.choice(history.listings)))
    return found


def examples(number: int) -> settings:
    """So many histories, each on a database of its own, which takes the time that it takes."""
    allowed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=number, deadline=None, suppress_health_check=allowed)


class Scenario:
    """What happened, and what came of it."""

    def __init__(self, history: History, arrivals: list[Arrival]) -> None:
        self.history = history
        self.arrivals = arrivals

    @property
    def compared(self) -> bool:
        """Whether LiveKit's lists were looked at in between, even when they were old."""
        return any(isinstance(arrival, Compare) for arrival in self.arrivals)

    def __repr__(self) -> str:
        lines = [repr(one) for one in ("SENT", *self.history.sent, "ARRIVED", *self.arrivals)]
        return "\n".join(lines[:100])  # what fails is shrunk to less than that


def scenarios(
    *,
    longest: int = 40,
    names: Sequence[str] = ROOMS,
    roomless: bool = True,
    crashes: bool = True,
    lossy: bool = True,
    compares: bool = True,
) -> st.SearchStrategy[Scenario]:
    """Histories with the ways in which their webhooks arrive, from a seed and a length, so that they shrink."""

    def make(seed: int, length: int) -> Scenario:
        chance = Random(seed)
        history = play(chance, length, names=names, roomless=roomless, crashes=crashes)
        return Scenario(history, arrive(chance, history, lossy=lossy, compares=compares))

    return st.builds(make, seed=st.integers(0, 2**32), length=st.integers(1, longest))
