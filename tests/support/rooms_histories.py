"""Hypothesis strategies: what happens in a LiveKit, and what becomes of the webhooks on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from tests.support.rooms_model import LiveKitModel, Sent, Whereabouts

from stagedoor.mediaserver.facts import ServerState

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

    def __repr__(self) -> str:
        return "\n".join([*(f"{sent.at} {sent.body.decode()}" for sent in self.sent), f"{self.model.listing()}"])


@dataclass(frozen=True)
class Step:
    """Something that happens `gap` milliseconds after what was before, to the `one`th of what it can happen to."""

    action: str
    one: int
    other: int
    gap: int


_steps = st.builds(
    Step,
    action=st.sampled_from(_ACTIONS),
    one=st.integers(0, 11),
    other=st.integers(0, 11),
    gap=st.sampled_from((0, 1, 180, 750, 1000, 20_000)),
)


@st.composite
def histories(
    draw: st.DrawFn, *, longest: int = 25, names: Sequence[str] = ROOMS, roomless: bool = True, crashes: bool = True
) -> History:
    """A history; with `roomless`, some track events do not say in which room they are (livekit/livekit#3725)."""
    model = LiveKitModel()
    listings: list[ServerState] = []
    whereabouts: tuple[Whereabouts, ...] = ("named", "named", "nameless", "absent") if roomless else ("named",)
    for step in draw(st.lists(_steps, min_size=1, max_size=longest)):
        if step.action == "crash" and not crashes:
            continue
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
        _to_somebody(model, step, whereabouts)


def _to_somebody(model: LiveKitModel, step: Step, whereabouts: Sequence[Whereabouts]) -> None:
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


Arrival = Sent | Compare


@st.composite
def arrivals(draw: st.DrawFn, history: History, *, lossy: bool = True, compares: bool = True) -> list[Arrival]:
    """The history's webhooks as they may come: in any order, some several times, with `lossy` some never.

    With `compares`, comparisons with LiveKit's lists come in between, as old or as new as they like.
    """
    found: list[Arrival] = []
    for sent in history.sent:
        copies = draw(st.sampled_from((1, 1, 1, 0, 2))) if lossy else draw(st.sampled_from((1, 1, 2)))
        found += [sent] * copies
    if compares and history.listings:
        found += [Compare(state) for state in draw(st.lists(st.sampled_from(history.listings), max_size=3))]
    how = draw(st.sampled_from(("in order", "nearly", "any")))
    if how == "any":
        return draw(st.permutations(found))
    if how == "nearly":
        for _ in range(draw(st.integers(0, 4))):
            if len(found) > 1:
                index = draw(st.integers(0, len(found) - 2))
                found[index], found[index + 1] = found[index + 1], found[index]
    return found


@dataclass(frozen=True)
class Scenario:
    """What happened, and what came of it."""

    history: History
    arrivals: list[Arrival]

    @property
    def compared(self) -> bool:
        """Whether LiveKit's lists were looked at in between, even when they were old."""
        return any(isinstance(arrival, Compare) for arrival in self.arrivals)

    def __repr__(self) -> str:
        lines = [
            f"{arrival.at} {arrival.body.decode()}" if isinstance(arrival, Sent) else f"compare {arrival.state}"
            for arrival in self.arrivals
        ]
        return "\n".join(["SENT", repr(self.history), "ARRIVED", *lines])


@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    roomless: bool = True,
    crashes: bool = True,
    lossy: bool = True,
    compares: bool = True,
    names: Sequence[str] = ROOMS,
) -> Scenario:
    """A history with the way in which its webhooks arrive."""
    history = draw(histories(roomless=roomless, crashes=crashes, names=names))
    return Scenario(history, draw(arrivals(history, lossy=lossy, compares=compares)))
