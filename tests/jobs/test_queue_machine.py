"""Whatever is asked for, ends, dies and is cancelled in whatever order: no job has two owners, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from stagedoor.storage import Database
from tests.jobs.scene import VERDICTS, Scene, Verdict

_T = TypeVar("_T")
_ANY = st.integers(0, 11)
_KEYS = st.sampled_from([None, "a"])
_LANES = st.sampled_from([None, "a", "a", "b"])
_GROUPS = st.sampled_from([None, None, "a"])
"""Few names, so that jobs meet."""

_MOST_PROCESSES = 2


class QueueMachine(RuleBasedStateMachine):
    """One thing after the other; what the workers make of each is checked before the next."""

    def __init__(self, database: Database, url: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._scene = Scene(database, url)
        self._failed = False

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except BaseException:
            self._failed = True
            raise

    @initialize()
    def begin(self) -> None:
        self._do(self._scene.empty())
        self._do(self._scene.begin_process())

    @rule(key=_KEYS, lane=_LANES, group=_GROUPS, due=st.sampled_from([True, True, False]))
    def put(self, key: str | None, lane: str | None, group: str | None, due: bool) -> None:
        self._do(self._scene.put(key=key, lane=lane, group=group, due=due))

    @rule(one=_ANY, verdict=st.sampled_from(VERDICTS))
    def end(self, one: int, verdict: Verdict) -> None:
        if (attempt := chosen(self._scene.attempts(), one)) is not None:
            self._do(self._scene.end(attempt, verdict))

    @rule(one=_ANY)
    def cancel(self, one: int) -> None:
        if (item := chosen(self._scene.items("queued", "running", "done"), one)) is not None:
            self._do(self._scene.cancel(item))

    @rule(one=_ANY)
    def retry(self, one: int) -> None:
        everything = self._scene.items("queued", "running", "done", "failed", "dead", "cancelled")
        if (item := chosen(everything, one)) is not None:
            self._do(self._scene.retry(item))

    @rule(one=_ANY, what=st.sampled_from(["lease", "lease", "lease", "begin", "begin", "stop", "kill"]))
    def trouble(self, one: int, what: str) -> None:
        """One rule for all of it, so that most of what happens is work."""
        item, process = chosen(self._scene.items("running"), one), chosen(self._scene.processes, one)
        if what == "lease" and item is not None:
            self._do(self._scene.lease_runs_out(item))
        elif what == "begin" and len(self._scene.processes) < _MOST_PROCESSES:
            self._do(self._scene.begin_process())
        elif what == "stop" and process is not None:
            self._do(self._scene.stop_process(process))
        elif what == "kill" and process is not None:
            self._do(self._scene.kill_process(process))

    def teardown(self) -> None:
        try:
            if not self._failed:
                self._do(self._scene.finish())
        finally:
            self._do(self._scene.close())


def chosen(things: Sequence[_T], one: int) -> _T | None:
    """One of them. What is drawn does not depend on what there is, so a failure can be played again."""
    return things[one % len(things)] if things else None


@pytest.fixture
async def scene(database: Database, database_url: str) -> AsyncGenerator[Scene]:
    made = Scene(database, database_url)
    await made.begin_process()
    yield made
    await made.close()


async def test_one_that_is_retried_waits_for_the_one_of_its_lane_that_runs(scene: Scene) -> None:
    for _ in range(3):
        await scene.put(key=None, lane="a", group=None, due=True)
    await scene.end(scene.attempts()[0], "give up")
    await scene.retry(scene.items("failed")[0])
    assert [item.attempts for item in scene.items("queued", "running")] == [0, 1, 0]
    await scene.end(scene.attempts()[0], "done")
    assert [item.attempts for item in scene.items("queued", "running")] == [1, 0]


async def test_one_that_is_asked_for_again_for_later_runs_later(scene: Scene) -> None:
    await scene.put(key="a", lane=None, group=None, due=True)
    await scene.put(key="a", lane=None, group=None, due=False)
    await scene.end(scene.attempts()[0], "done")
    assert [(item.attempts, item.due) for item in scene.items("queued")] == [(0, False)]


async def test_a_worker_that_finds_its_own_job_keeps_the_claim_that_counts(scene: Scene) -> None:
    await scene.put(key=None, lane=None, group=None, due=True)
    await scene.lease_runs_out(scene.items("running")[0])
    lost, counts = scene.attempts()
    await scene.end(lost, "done")
    await scene.end(counts, "done with an effect")
    assert [item.attempts for item in scene.items("done")] == [2]


@pytest.mark.timeout(600)  # half a minute when all is well; Hypothesis makes a failure small for five minutes
async def test_whatever_happens(database: Database, database_url: str) -> None:
    loop = asyncio.get_running_loop()

    class Machine(QueueMachine):
        def __init__(self) -> None:
            super().__init__(database, database_url, loop)

    number = 100 if database.dialect == "sqlite" else 40  # a server takes several times as long
    some = settings(
        max_examples=number, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    # Hypothesis does not know of event loops, so it has a thread, and the workers have this one's.
    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=some)
