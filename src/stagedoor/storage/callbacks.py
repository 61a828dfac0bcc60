"""Calling what a transaction registered to be called after its commit, and who waits for what it stored."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable
from typing import Any, Protocol


def call_all(loop: AbstractEventLoop, callbacks: Iterable[Callable[[], None]]) -> None:
    """Call each; what one raises goes to the loop's exception handler, as from `call_soon`."""
    for callback in callbacks:
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - it must not keep others from their call or their answer
            loop.call_exception_handler({"message": "A callback after a commit failed", "exception": error})


class Waiter(Protocol):
    """The part of a future that an engine uses to answer a caller."""

    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, exception: Any, /) -> None: ...


class Callback:
    """A waiter that is called on the event loop with what a future would hold.

    A future wakes its task in another turn of the loop: a group of 64 rows is answered by 64 of them.

    Args:
        loop: The loop whose exception handler hears of what `answer` raises.
        answer: Called once, with the result or with the error.
    """

    __slots__ = ("_answer", "_loop")

    def __init__(self, loop: AbstractEventLoop, answer: Callable[[Any], None]) -> None:
        self._loop = loop
        self._answer = answer

    def cancelled(self) -> bool:
        """False: nothing waits that could be cancelled."""
        return False

    def done(self) -> bool:
        """False: it is asked only before the answer."""
        return False

    def set_result(self, result: Any, /) -> None:
        """Answer with a result, or with the error of `set_exception`."""
        try:
            self._answer(result)
        except Exception as error:  # noqa: BLE001 - it must not keep others from their answer
            self._loop.call_exception_handler({"message": "A callback after a commit failed", "exception": error})

    set_exception = set_result
