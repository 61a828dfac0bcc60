"""One running instance: its services, started in order and stopped in reverse.

The order is that of `SERVICES` in `early_startup.py`, then of `SERVICES` in `startup.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Generator, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from stagedoor.app import early_startup
from stagedoor.app.runtime import Runtime, Service
from stagedoor.kernel.deferred_schemas import schemas_made_when_used
from stagedoor.kernel.errors import OperatorError, Problem, StorageUnavailable
from stagedoor.settings.installation import Settings

if TYPE_CHECKING:
    from stagedoor.app.summary import Summary


class Product:
    """One running instance.

    Args:
        settings: The installation's settings.
        progress: Called with a sentence for what takes a while.
    """

    def __init__(self, settings: Settings, progress: Callable[[str], None]) -> None:
        self._runtime = Runtime(settings, progress)
        self._started: set[str] = set()
        self._stopping = contextlib.AsyncExitStack()

    async def start(self) -> Summary:
        """Start everything; what was started is stopped again when something cannot be.

        Raises:
            OperatorError: Something on this machine is in the way.
        """
        try:
            with _no_garbage_collection():
                await self._start(early_startup.SERVICES)
                # In a thread: LiveKit's start goes on meanwhile.
                await self._start(await asyncio.to_thread(_import_startup))
        except StorageUnavailable as error:
            await self.stop()
            raise OperatorError(f"The database cannot be used: {error}") from None
        except Problem as error:
            await self.stop()
            raise OperatorError(self._livekit_unusable(error)) from None
        except BaseException:
            await self.stop()
            raise
        from stagedoor.app.summary import summary_of

        self._runtime.unready = None
        return summary_of(self._runtime)

    async def stop(self) -> None:
        """Stop everything, in reverse."""
        self._runtime.unready = "Stagedoor is stopping."
        await self._stopping.aclose()

    async def failed(self) -> None:
        """Return when a service that should run until the stop has ended; raises what ended it."""
        await self._runtime.failed

    async def _start(self, services: Iterable[Service]) -> None:
        for service in services:
            missing = set(service.needs) - self._started
            if missing:
                raise RuntimeError(f"{service.name} needs {missing}, which are not started before it")
            await service.start(self._runtime)
            self._started.add(service.name)
            self._stopping.push_async_callback(service.stop, self._runtime)

    def _livekit_unusable(self, error: Problem) -> str:
        url = self._runtime.network.endpoint.url
        return (
            f"LiveKit at {url} cannot be used: {error} Check LIVEKIT_API_HOST, LIVEKIT_API_KEY and LIVEKIT_API_SECRET."
        )


def _import_startup() -> tuple[Service, ...]:
    with schemas_made_when_used():
        import_module("fastapi")
    return import_module("stagedoor.app.startup").SERVICES


@contextlib.contextmanager
def _no_garbage_collection() -> Generator[None]:
    """The start makes little but what lives as long as the process: modules, routes, tables.

    Afterwards the garbage collector is kept off it, which is half of what it would look at. Measured on the webhook
    path: up to 1.5 times the work per CPU second, and a p99 of 35 ms where it was 100. Nothing is collected before: of
    250,000 objects 2,000 are garbage, and to look for them takes a tenth of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000, 20, 50)
