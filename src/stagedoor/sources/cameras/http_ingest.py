"""Devices that can only do HTTP: each frame is a request, and a camera sends for as long as they keep coming."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

from stagedoor.kernel.errors import Conflict
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.closing import IDLE, Close
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.live import LiveCamera, LiveCameras
from stagedoor.sources.cameras.metrics import CAMERA_DROPPED
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.streams.jpeg import NotJpeg, measure


@dataclass(frozen=True, slots=True)
class _Held:
    live: LiveCamera
    task: asyncio.Task[None]


class HttpIngest:
    """Keeps a camera among those that send in between its requests."""

    def __init__(self, cameras: LiveCameras, presence_events: PresenceEvents) -> None:
        self._cameras = cameras
        self._presence_events = presence_events
        self._held: dict[str, _Held] = {}

    def take(self, admitted: AuthenticatedCamera, data: bytes) -> Rejected | Close | None:
        """Take a frame; an answer is why it was not taken, or why the camera may not send now.

        Raises:
            Conflict: It sends by WebSocket, or another one does to its room.
        """
        held = self._held.get(admitted.camera.id)
        if held is None or held.live.closing.done():
            # One that never sent a picture does not count as one that sends, which it would for its idle time.
            try:
                measure(data)
            except NotJpeg as error:
                CAMERA_DROPPED.labels("not_jpeg").inc()
                return Rejected("not_jpeg", str(error))
        live = self._live(admitted)
        outcome = live.take(data)
        if isinstance(outcome, Close):
            live.close(outcome)
        return outcome

    def _live(self, admitted: AuthenticatedCamera) -> LiveCamera:
        """The camera as one that sends.

        Raises:
            Conflict: It sends by WebSocket, or another one does to its room.
        """
        camera = admitted.camera
        held = self._held.get(camera.id)
        if held is not None and not held.live.closing.done():
            return held.live
        sending = self._cameras.find(camera.livekit_room)
        if sending is not None and sending.camera.id == camera.id and (held is None or sending is not held.live):
            raise Conflict("This camera sends by WebSocket at the moment.", code="camera_connected")
        stack = ExitStack()
        live = stack.enter_context(self._cameras.sending(admitted))
        task = asyncio.create_task(self._hold(stack, live), name=f"camera {camera.id}")
        self._held[camera.id] = _Held(live, task)
        return live

    async def close(self) -> None:
        """Wait until all have gone."""
        if self._held:
            await asyncio.wait({held.task for held in self._held.values()})

    async def _hold(self, stack: ExitStack, live: LiveCamera) -> None:
        with stack:
            self._presence_events.online(live)
            why = IDLE
            try:
                why = await live.ended()
                live.close(why)
            finally:
                held = self._held.get(live.camera.id)
                if held is not None and held.live is live:
                    del self._held[live.camera.id]
                self._presence_events.offline(live, why.reason)
