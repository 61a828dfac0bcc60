"""The cameras that send to this node now: one a room, and how a newer connection takes over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Unavailable
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.closing import GOING_AWAY, REPLACED, Close
from stagedoor.sources.cameras.intake import Intake, Rejected
from stagedoor.sources.cameras.metrics import CAMERAS
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.cameras.stats import NotStats, read_stats
from stagedoor.streams.hub import Frame, Hub, Slot
from stagedoor.streams.placeholder import placeholder
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.usage.running_meters import RunningMeters


@dataclass(frozen=True, slots=True, eq=False)
class LiveCamera:
    """A camera that sends now.

    Attributes:
        app_slug: Its app's slug.
        settings: Its app's settings when it connected.
        slot: Where its frames go.
        since: When it connected, in milliseconds since the epoch.
        digest: The hash of the key that it came with.
        stats: What the device last said of itself.
        closing: Set with the reason when its connection is to end.
    """

    camera: Camera
    app_slug: str
    settings: AppSettings
    slot: Slot
    since: int
    digest: str
    intake: Intake
    stats: dict[str, Any] = field(default_factory=dict[str, Any])
    closing: asyncio.Future[Close] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def room(self) -> str:
        """Its room's LiveKit name."""
        return self.camera.livekit_room

    def close(self, why: Close) -> None:
        """End its connection; from now on nothing that it sends is taken."""
        if not self.closing.done():
            self.closing.set_result(why)

    def take(self, data: bytes) -> Rejected | Close | None:
        """Take a frame; an answer is why it was not taken, or the reason to end the connection."""
        if self.closing.done():
            return self.closing.result()
        return self.intake.take(data, time.monotonic(), now_ms())

    def receive_text(self, text: str) -> Rejected | Close | None:
        """Take what the device says of itself, for whoever asks how it is; the answer is as that of `take`."""
        if self.closing.done():
            return self.closing.result()
        rejected = None
        if text:  # an empty one is a keep-alive
            try:
                said = read_stats(text)
            except NotStats as error:
                rejected = Rejected("not_stats", str(error))
            else:
                self.stats.clear()
                self.stats.update(said)
        return self.intake.note(rejected, time.monotonic())


class LiveCameras:
    """Keeps them apart: frames of two cameras never meet in one room.

    Args:
        hub: Where frames pass.
        running: Told how long each sends.
    """

    def __init__(self, hub: Hub, running: RunningMeters) -> None:
        self._hub = hub
        self._running = running
        self._rooms: dict[str, LiveCamera] = {}
        self._listeners: list[Callable[[], None]] = []
        self._stopped = False

    def current(self) -> tuple[LiveCamera, ...]:
        """All of them."""
        return tuple(self._rooms.values())

    def find(self, livekit_room: str) -> LiveCamera | None:
        """The one that sends to a room."""
        return self._rooms.get(livekit_room)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the event loop, when a camera came or went."""
        self._listeners.append(listener)

    @contextmanager
    def sending(self, admitted: AuthenticatedCamera) -> Generator[LiveCamera]:
        """Let an admitted camera send, for as long as the context lasts.

        The same camera's older connection is ended: a device that comes back knows better than we do that its last
        connection is dead.

        Raises:
            Conflict: Another camera sends to the room, and the app would not have it replaced.
            Unavailable: The product stops.
        """
        camera, app = admitted.camera, admitted.app
        if self._stopped:
            raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
        other = self._rooms.get(camera.livekit_room)
        if other is not None:
            refuse_another(admitted, other.camera.id)
            other.close(REPLACED)
        running = self._running.run("camera", camera.app_id, camera.livekit_room)
        with running, self._hub.slot(camera.livekit_room) as slot:
            settings = app.settings
            taken = settings.of(CameraSettings)
            intake = Intake(slot, taken.max_fps, taken.max_frame_bytes, time.monotonic())
            live = LiveCamera(camera, app.slug, settings, slot, now_ms(), admitted.digest, intake)
            self._rooms[live.room] = live
            slot.begin()
            self._changed()
            try:
                yield live
            finally:
                self._leave(live, placeholder() if settings.of(StreamSettings).placeholder else None)

    def evict(self, live: LiveCamera, why: Close) -> None:
        """End a camera's connection because it sends to another node now.

        It is gone at once, however long its connection takes to end; no slate is shown, because its room's next frames
        are on their way.
        """
        live.close(why)
        self._leave(live, None)

    def close(self) -> None:
        """End every connection, because the product stops."""
        self._stopped = True
        for live in self.current():
            live.close(GOING_AWAY)

    def _leave(self, live: LiveCamera, instead: Frame | None) -> None:
        if self._rooms.get(live.room) is live:
            del self._rooms[live.room]
            live.slot.clear(instead, live.settings.of(StreamSettings).resume)
            self._changed()

    def _changed(self) -> None:
        CAMERAS.set(len(self._rooms))
        for listener in self._listeners:
            listener()


def refuse_another(admitted: AuthenticatedCamera, sending_id: str) -> None:
    """Raise `Conflict` when the app keeps this camera out while the one with id `sending_id` sends to its room."""
    if sending_id != admitted.camera.id and admitted.app.settings.of(CameraSettings).conflict == "refuse":
        raise Conflict(
            "Another camera sends to this room; end it first, or set the app's cameraConflict to takeover.",
            code="room_has_camera",
            headers={"Retry-After": "30"},
        )
