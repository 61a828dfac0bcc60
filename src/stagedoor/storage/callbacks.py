"""Calling what a transaction registered to be called after its commit."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable


def call_all(loop: AbstractEventLoop, callbacks: Iterable[Callable[[], None]]) -> None:
    """Call each; what one raises goes to the loop's exception handler, as from `call_soon`."""
    for callback in callbacks:
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - it must not keep others from their call or their answer
            loop.call_exception_handler({"message": "A callback after a commit failed", "exception": error})
