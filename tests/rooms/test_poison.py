"""An event that cannot be applied: tried again, set aside, and never in the way of others for long."""

from __future__ import annotations

import json
from collections.abc import Generator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stagedoor.inbox import applier as applying
from stagedoor.inbox.applier import BATCH, MAX_ATTEMPTS
from stagedoor.kernel.errors import Conflict, NotFound, StorageUnavailable
from stagedoor.mediaserver import livekit_event
from stagedoor.mediaserver.livekit_event import LiveKitEvent
from stagedoor.rooms.apply import apply_event
from stagedoor.rooms.observe import Observer
from tests.support.rooms_harness import World
from tests.support.rooms_invariants import is_livekits_state
from tests.support.rooms_model import LiveKitModel, Sent


@pytest.fixture(autouse=True)
def log() -> Generator[list[MutableMapping[str, Any]]]:
    """What is logged: each failure is, with its traceback."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    """On both engines: they differ in what an error inside a transaction does to it."""
    name = "sqlite_world" if request.param == "sqlite" else "postgres_world"
    found: World = request.getfixturevalue(name)
    return found


class Breaking:
    """Makes applying an event with one of these ids raise, for as long as they are in the set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: set[str] = set()
        self.error: Exception = RuntimeError("a fault of ours")
        self._real = apply_event
        monkeypatch.setattr(applying, "apply_event", self._apply)

    def _apply(self, obs: Observer, event: LiveKitEvent, received_at: int, *, again: bool) -> Any:
        outcome = self._real(obs, event, received_at, again=again)
        obs.flush()  # so that there is something to undo
        if event.id in self.ids:
            raise self.error
        return outcome


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    return Breaking(monkeypatch)


def call(model: LiveKitModel, name: str) -> list[Sent]:
    """A room that a participant joins; what was sent of it."""
    before = len(model.sent)
    model.activate(model.create(name), model.connect(name, "ann"))
    return model.sent[before:]


async def states(world: World) -> dict[str, tuple[str, int]]:
    return {event.id: (event.state, event.attempts) for event in (await world.snapshot()).inbox}


async def test_it_is_tried_again_and_then_set_aside(
    world: World, breaking: Breaking, log: list[MutableMapping[str, Any]]
) -> None:
    model = LiveKitModel()
    started, joined = call(model, "live-a")
    breaking.ids.add(started.id)
    for attempt in range(1, MAX_ATTEMPTS):
        await world.apply([started, joined])
        assert await states(world) == {started.id: ("pending", attempt), joined.id: ("pending", 0)}
        assert not (await world.snapshot()).sessions, "what a failed attempt did is undone"
    await world.applier.drain()
    assert await states(world) == {started.id: ("failed", MAX_ATTEMPTS), joined.id: ("applied", 1)}
    found = await world.snapshot()
    assert found.inbox[0].error == "RuntimeError: a fault of ours"
    assert [(entry["event_id"], entry["attempts"]) for entry in log] == [
        (started.id, attempt) for attempt in range(1, MAX_ATTEMPTS + 1)
    ]
    is_livekits_state(found, model.listing())


async def test_other_rooms_do_not_wait_for_it(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    stuck, *rest = call(model, "live-a")
    breaking.ids.add(stuck.id)
    others = [sent for name in ("live-b", "live-c") for sent in call(model, name)]
    await world.apply([stuck, *rest, *others])
    after = await states(world)
    assert after[stuck.id] == ("pending", 1)
    assert all(after[sent.id] == ("pending", 0) for sent in rest)
    assert all(after[sent.id] == ("applied", 1) for sent in others)


async def test_a_blocked_rooms_long_queue_does_not_starve_others(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    stuck = call(model, "live-a")
    room = model.create("live-a")
    for _ in range(2 * BATCH):
        model.publish(room, room.present[0], "audio")
    queue = list(model.sent)
    breaking.ids.add(stuck[0].id)
    other = call(model, "live-b")
    await world.apply([*queue, *other])
    after = await states(world)
    assert all(after[sent.id] == ("applied", 1) for sent in other)
    for _ in range(MAX_ATTEMPTS):
        await world.applier.drain()
    after = await states(world)
    assert after[stuck[0].id][0] == "failed"
    assert all(after[sent.id] == ("applied", 1) for sent in queue[1:])
    is_livekits_state(await world.snapshot(), model.listing())


async def test_a_fault_that_passes_costs_nothing(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    started, joined = call(model, "live-a")
    breaking.ids.add(started.id)
    await world.apply([started, joined])
    breaking.ids.clear()
    await world.applier.drain()
    assert await states(world) == {started.id: ("applied", 2), joined.id: ("applied", 1)}
    is_livekits_state(await world.snapshot(), model.listing())


async def test_a_failed_event_is_replayed_when_the_cause_is_gone(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    call(model, "live-a")
    model.publish(model.create("live-a"), next(model.present())[1], "video")
    breaking.ids.add(model.sent[-1].id)
    await world.apply(model.sent)
    for _ in range(MAX_ATTEMPTS):
        await world.applier.drain()
    assert not (await world.snapshot()).tracks
    failed = await world.applier.replay(model.sent[-1].id)
    assert failed.state == "failed"
    breaking.ids.clear()
    replayed = await world.applier.replay(model.sent[-1].id)
    assert (replayed.state, replayed.error) == ("applied", None)
    is_livekits_state(await world.snapshot(), model.listing())


async def test_a_replay_waits_for_what_came_before_it_in_its_room(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    started, joined = call(model, "live-a")
    await world.apply([started])
    breaking.ids.add(joined.id)
    await world.apply([joined])
    with pytest.raises(Conflict):
        await world.applier.replay(started.id)
    with pytest.raises(NotFound):
        await world.applier.replay("EV_unknown")


async def test_a_database_that_is_away_is_not_the_events_fault(world: World, breaking: Breaking) -> None:
    model = LiveKitModel()
    started, joined = call(model, "live-a")
    breaking.ids.add(started.id)
    breaking.error = StorageUnavailable("away")
    for _ in range(2 * MAX_ATTEMPTS):
        await world.apply([started, joined])
    assert set((await states(world)).values()) == {("pending", 0)}
    breaking.ids.clear()
    await world.applier.drain()
    assert set((await states(world)).values()) == {("applied", 1)}


async def test_a_number_that_no_database_can_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that cannot be true are refused before; should another number get through, its event fails by itself."""

    def believed(at: int) -> int | None:
        return at or None

    monkeypatch.setattr(livekit_event, "plausible", believed)
    model = LiveKitModel()
    started, joined = call(model, "live-a")
    body = json.loads(joined.body)
    body["participant"]["joinedAtMs"] = str(2**63)
    others = call(model, "live-b")
    await world.apply([started, replace(joined, body=json.dumps(body).encode()), *others])
    for _ in range(MAX_ATTEMPTS):
        await world.applier.drain()
    after = await states(world)
    assert {event_id for event_id, (state, _) in after.items() if state == "failed"} == {joined.id}
    assert {event_id for event_id, (state, _) in after.items() if state == "applied"} == {
        event.id for event in (started, *others)
    }


async def test_an_event_without_a_room_does_not_stop_others(world: World) -> None:
    """One that leads nowhere is set aside, and counted as unclaimed."""
    model = LiveKitModel()
    call(model, "live-a")
    room = model.create("live-a")
    model.publish(room, room.present[0], "video", "absent")
    lost = model.sent[-1]
    await world.apply([lost])  # first, or its participant would be known
    await world.apply(model.sent[:-1])
    after = await states(world)
    assert after.pop(lost.id) == ("unclaimed", 1)
    assert set(after.values()) == {("applied", 1)}
    await world.applier.replay(lost.id)
    is_livekits_state(await world.snapshot(), model.listing())
