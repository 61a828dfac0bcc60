"""Viewers of a room's frames: their number, the size of their frames, and how long they stay."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from stagedoor.access.admission import Admission
from stagedoor.kernel.errors import NotFound, TooMany
from stagedoor.outputs.frames.readmission import Readmission, Readmissions
from stagedoor.outputs.frames.settings import ViewerSettings
from stagedoor.streams.cluster.other_nodes import OtherNodes
from stagedoor.streams.hub import Frame, Hub, Slot, Viewer
from stagedoor.streams.placeholder import placeholder
from stagedoor.streams.scaling import Scaler
from stagedoor.streams.senders import Senders
from stagedoor.streams.settings import StreamSettings
from stagedoor.usage.running_meters import RunningMeters


class FrameViewers:
    """Viewers of rooms' frames on this node.

    Args:
        hub: The slots of this node.
        senders: The senders of this node.
        other_nodes: The senders of other nodes.
        running: Meters how long each viewer watches.
        is_registered: Whether a source is registered for an app's room, by the app's id and the room's LiveKit name.
        starts_on_demand: Whether a source of an app's room begins to send once a viewer is there, likewise.
    """

    def __init__(
        self,
        hub: Hub,
        senders: Senders,
        other_nodes: OtherNodes,
        running: RunningMeters,
        is_registered: Callable[[str, str], Awaitable[bool]],
        starts_on_demand: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._hub = hub
        self._senders = senders
        self._is_registered = is_registered
        self._starts_on_demand = starts_on_demand
        self._other_nodes = other_nodes
        self._running = running
        self._scaler = Scaler()
        self._count: Counter[str] = Counter()
        self._viewers: set[Viewer] = set()
        self._readmissions = Readmissions()

    def viewers(self, livekit_room: str) -> int:
        """The number of a room's viewers on this node."""
        return self._count[livekit_room]

    def undecodable(self, livekit_room: str, width: int) -> bool:
        """Whether the room's last frame could not be made `width` pixels wide, while it has a viewer of that width."""
        slot = self._hub.find(livekit_room)
        return slot is not None and self._scaler.undecodable(slot, width)

    async def there(self, livekit_room: str) -> bool:
        """Whether a camera sends to the room, on this node or another one."""
        return self._senders.find(livekit_room) is not None or bool(await self._other_nodes.senders([livekit_room]))

    @asynccontextmanager
    async def view(
        self,
        admission: Admission,
        width: int | None,
        *,
        metered: bool = True,
        readmission: Readmission | None = None,
    ) -> AsyncGenerator[Viewer]:
        """Add a viewer to the room while the context lasts.

        Args:
            admission: The viewer's admission.
            width: The width in pixels that wider frames are scaled to.
            metered: Whether the viewer's time counts as usage; that of a snapshot does not.
            readmission: How the viewer is admitted again while it watches; it is ended when it is refused.

        Raises:
            NotFound: No camera sends to the room, none begins to because of the viewer, and the app shows no
                placeholder frame for an absent one.
            TooMany: The room has `cameraMaxViewers` viewers already.
        """
        room, settings = admission.livekit_room, admission.app.settings
        with self._place(admission):
            there = await self.there(room)
            if not there and not await self._is_worth_waiting(admission):
                raise NotFound("No camera sends to this room.", code="no_camera")
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._other_nodes.watch(room, settings))
                source = slot = stack.enter_context(self._hub.slot(room))
                if width is not None:
                    slot = await stack.enter_async_context(self._scaler.scaled(source, width, admission.app.id))
                viewer = stack.enter_context(self._looking(slot))
                if readmission is not None:
                    stack.enter_context(self._readmissions.watch(viewer, readmission))
                if metered:
                    stack.enter_context(self._running.run("viewer", admission.app.id, room))
                if not there:
                    nothing = await self._placeholder(admission, width)
                    stack.enter_context(_until(source, viewer, nothing, settings.of(StreamSettings).resume))
                yield viewer

    def close(self) -> None:
        """End all viewers, because Stagedoor stops."""
        for viewer in list(self._viewers):
            viewer.end()
        self._scaler.close()

    @contextmanager
    def _place(self, admission: Admission) -> Generator[None]:
        room, limit = admission.livekit_room, admission.app.settings.of(ViewerSettings).max_viewers
        if self._count[room] >= limit:
            raise TooMany(
                f"{limit} look at this room, which is the most that the app lets.",
                code="too_many_viewers",
                extra={"limit": limit},
                headers={"Retry-After": "10"},
            )
        self._count[room] += 1
        try:
            yield
        finally:
            self._count[room] -= 1
            if not self._count[room]:
                del self._count[room]

    @contextmanager
    def _looking(self, slot: Slot) -> Generator[Viewer]:
        with slot.view() as viewer:
            self._viewers.add(viewer)
            try:
                yield viewer
            finally:
                self._viewers.discard(viewer)

    async def _is_worth_waiting(self, admission: Admission) -> bool:
        place = admission.app.id, admission.livekit_room
        if admission.app.settings.of(StreamSettings).placeholder and await self._is_registered(*place):
            return True
        return await self._starts_on_demand(*place)

    async def _placeholder(self, admission: Admission, width: int | None) -> Frame | None:
        if not admission.app.settings.of(StreamSettings).placeholder:
            return None
        return placeholder() if width is None else await self._scaler.shrink(placeholder(), width, admission.app.id)


@contextmanager
def _until(slot: Slot, viewer: Viewer, nothing: Frame | None, timeout: float) -> Generator[None]:
    """Show `nothing`, if given, to the viewer, and end it when no camera has connected within `timeout` seconds."""

    def give_up() -> None:
        if not slot.sending:
            viewer.end()

    if nothing is not None and not slot.sending:
        viewer.offer(nothing)
    waiting = asyncio.get_running_loop().call_later(timeout, give_up)
    try:
        yield
    finally:
        waiting.cancel()
