"""Ingest over HTTP: each frame is one request, and a camera counts as live until no request arrives for a while."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import Conflict
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.close_codes import IDLE, Close
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.live import LiveCamera, LiveCameras
from stagedoor.sources.cameras.metrics import CAMERA_DROPPED
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.streams.jpeg import NotJpeg, measure

MOST_REFUSED: Final = 1_000
"""Cameras that are not live whose refused frames are remembered; those refused longest ago are forgotten first."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The frames of a camera that were refused before it was live: how many, and the last of them."""

    count: int
    last: Rejected


@dataclass(frozen=True, slots=True)
class _Held:
    live: LiveCamera
    task: asyncio.Task[None]


class HttpIngest:
    """Keeps a camera live between its requests."""

    def __init__(self, cameras: LiveCameras, presence_events: PresenceEvents) -> None:
        self._cameras = cameras
        self._presence_events = presence_events
        self._held: dict[str, _Held] = {}
        self._refused: dict[str, Refused] = {}

    def take(self, admitted: AuthenticatedCamera, data: bytes) -> Rejected | Close | None:
        """Accept a frame; returns `None`, or why the frame was rejected, or why the camera may not send now.

        Raises:
            Conflict: The camera sends by WebSocket now, or another camera sends to its room.
        """
        if self._current(admitted) is None:
            # A camera that never sent a valid picture must not count as live, which it would for its idle timeout.
            try:
                measure(data)
            except NotJpeg as error:
                return self.refuse(admitted, Rejected("not_jpeg", str(error)))
        live = self._live(admitted)
        outcome = live.take(data)
        if isinstance(outcome, Close):
            live.close(outcome)
        return outcome

    def refuse(self, admitted: AuthenticatedCamera, rejected: Rejected) -> Rejected:
        """Count a frame that no live camera took, so that the camera's state shows it; returns `rejected`."""
        CAMERA_DROPPED.labels(rejected.reason).inc()
        live = self._current(admitted)
        if live is not None:
            live.intake.refuse(rejected)
            return rejected
        before = self._refused.pop(admitted.camera.id, None)
        self._refused[admitted.camera.id] = Refused(1 if before is None else before.count + 1, rejected)
        if len(self._refused) > MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        return rejected

    def refused(self, camera_id: str) -> Refused | None:
        """What was refused of a camera that is not live, since it last was."""
        return self._refused.get(camera_id)

    def _current(self, admitted: AuthenticatedCamera) -> LiveCamera | None:
        held = self._held.get(admitted.camera.id)
        return None if held is None or held.live.closing.done() else held.live

    def _live(self, admitted: AuthenticatedCamera) -> LiveCamera:
        """The live camera of this device, registered if it is not live yet.

        Raises:
            Conflict: The camera sends by WebSocket now, or another camera sends to its room.
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
        refused = self._refused.pop(camera.id, None)
        if refused is not None:
            live.intake.refuse(refused.last, refused.count)
        task = asyncio.create_task(self._hold(stack, live), name=f"camera {camera.id}")
        self._held[camera.id] = _Held(live, task)
        return live

    async def close(self) -> None:
        """Wait until no camera is live by HTTP."""
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
