"""Admits viewers again periodically, and ends those that are refused: their link has expired, their identity is banned,
their key is revoked or the app's policy has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from stagedoor.kernel.errors import Forbidden, NotFound, StorageUnavailable, Unauthenticated
from stagedoor.streams.hub import Viewer
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()
_EVERY_SECONDS: Final = 3.0

ReadApps = dict[str, App | None]
"""Apps by slug that one round of admissions has read: the next viewer's app is not read again. To read it for each of
500 viewers took a tenth of the time that their frames took."""


@dataclass(frozen=True, slots=True, eq=False)
class Readmission:
    """How a viewer is admitted again.

    Attributes:
        by: The viewer's credentials: viewers with the same ones are checked once.
        admit: Raises `NotFound`, `Unauthenticated` or `Forbidden` when the viewer is no longer admitted. Its argument
            is the apps that the round has read before; it adds those that it reads.
    """

    by: Hashable
    admit: Callable[[ReadApps], Awaitable[object]]


@dataclass(slots=True)
class _Group:
    """Viewers with the same credentials."""

    readmission: Readmission
    viewers: set[Viewer] = field(default_factory=set[Viewer])


class Readmissions:
    """Admits this node's viewers again every few seconds, independently of frames, in a task that runs while there are
    viewers."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, viewer: Viewer, readmission: Readmission) -> Generator[None]:
        """While the context lasts, end the viewer once it is no longer admitted."""
        group = self._groups.setdefault(readmission.by, _Group(readmission))
        group.viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="viewer admissions")
        try:
            yield
        finally:
            group.viewers.discard(viewer)
            if not group.viewers:
                del self._groups[readmission.by]
            if not self._groups:
                self._end()

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            apps: ReadApps = {}
            for group in list(self._groups.values()):
                await asyncio.sleep(0)  # frames pass meanwhile, also where nothing is to be read
                try:
                    await group.readmission.admit(apps)
                except (Unauthenticated, Forbidden, NotFound):
                    for viewer in group.viewers:
                        viewer.refuse()
                except StorageUnavailable as error:
                    _log.warning("viewer_admission_unavailable", error=str(error))
                    break
