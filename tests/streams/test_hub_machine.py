"""A slot as a state machine: whatever comes, looks, takes and leaves, in whatever order."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from stagedoor.streams.hub import EndOfStream, Frame, Slot, Viewer
from stagedoor.streams.jpeg import Size

SIZE = Size(4, 4)


@dataclass(eq=False)
class Looking:
    """One viewer, and what it must have seen."""

    context: AbstractContextManager[Viewer]
    viewer: Viewer
    offered: int
    pending: bool
    ended: bool = False
    taken: list[int] = field(default_factory=list[int])


class Slots(RuleBasedStateMachine):
    looking: Bundle[Looking] = Bundle("looking")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.slot = Slot()
        self.newest: Frame | None = None
        self.here: list[Looking] = []

    def teardown(self) -> None:
        self.loop.close()

    @rule()
    def publish(self) -> None:
        self.slot.begin()
        self.newest = self.slot.publish(0, b"x", SIZE)
        self._offered()

    @rule(placeholder=st.booleans())
    def camera_goes(self, placeholder: bool) -> None:
        picture = Frame(0, 0, b"slate", SIZE)

        async def clear() -> None:
            self.slot.clear(picture if placeholder else None, 3600)

        self.loop.run_until_complete(clear())
        self.newest = None
        if placeholder:
            self._offered()

    def _offered(self) -> None:
        for one in self.here:
            if not one.ended:
                one.offered += 1
                one.pending = True

    @rule()
    def viewers_time_out(self) -> None:
        self.slot.end()
        for one in self.here:
            one.ended = True

    @rule(target=looking)
    def look(self) -> Looking:
        context = self.slot.view()
        one = Looking(context, context.__enter__(), int(self.newest is not None), self.newest is not None)
        self.here.append(one)
        return one

    @rule(one=looking)
    def take(self, one: Looking) -> None:
        if one.ended:
            try:
                self.loop.run_until_complete(one.viewer.next())
            except EndOfStream:
                return
            raise AssertionError("it went on after its end")
        if one.pending:
            frame = self.loop.run_until_complete(one.viewer.next())
            one.pending = False
            one.taken.append(frame.number)
            assert frame is self.newest or self.newest is None

    @rule(one=consumes(looking))
    def leave(self, one: Looking) -> None:
        one.context.__exit__(None, None, None)
        self.here.remove(one)

    @invariant()
    def it_adds_up(self) -> None:
        assert self.slot.viewers == len(self.here)
        assert self.slot.newest is self.newest
        for one in self.here:
            assert one.offered == len(one.taken) + one.viewer.dropped + one.pending
            numbers = [number for number in one.taken if number]
            assert numbers == sorted(set(numbers))


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
