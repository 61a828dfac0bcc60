"""Viewers stay only while they would be admitted anew: until their link ends, their identity is banned, their key is
revoked or the app's policy changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from stagedoor.kernel.errors import Forbidden, NotFound, StorageUnavailable, Unauthenticated
from stagedoor.streams.hub import Viewer

_log = structlog.get_logger()
_EVERY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Readmission:
    """How a viewer is admitted anew.

    Attributes:
        by: What it shows: viewers that show the same are asked for once.
        admit: Raises `NotFound`, `Unauthenticated` or `Forbidden` when it is not admitted any more.
    """

    by: Hashable
    admit: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class _Group:
    """Viewers that show the same."""

    readmission: Readmission
    viewers: set[Viewer] = field(default_factory=set[Viewer])


class Readmissions:
    """Admits the viewers of this node anew every few seconds, never for a frame. Its task runs while there are some."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, viewer: Viewer, readmission: Readmission) -> Generator[None]:
        """End the viewer once it is not admitted any more, while the context lasts."""
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
            for group in list(self._groups.values()):
                try:
                    await group.readmission.admit()
                except (Unauthenticated, Forbidden, NotFound):
                    for viewer in group.viewers:
                        viewer.refuse()
                except StorageUnavailable as error:
                    _log.warning("viewer_admission_unavailable", error=str(error))
                    break
