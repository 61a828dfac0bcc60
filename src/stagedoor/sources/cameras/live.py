"""The cameras that send to this node now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.intake import Intake, Rejected
from stagedoor.sources.cameras.metrics import CAMERAS
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.cameras.stats import NotStats, read_stats
from stagedoor.streams.closing import Close
from stagedoor.streams.hub import Slot
from stagedoor.streams.senders import RoomTaken, Sender, Senders, Source


@dataclass(frozen=True, slots=True, eq=False)
class LiveCamera:
    """A camera that sends now.

    Attributes:
        digest: The hash of the key that the camera authenticated with.
        intake: Checks and publishes the camera's frames.
        stats: The last statistics that the device sent.
    """

    sender: Sender
    camera: Camera
    digest: str
    intake: Intake
    stats: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def room(self) -> str:
        """The LiveKit name of the camera's room."""
        return self.sender.room

    @property
    def slot(self) -> Slot:
        """The slot that the camera's frames are published to."""
        return self.sender.slot

    @property
    def closing(self) -> asyncio.Future[Close]:
        """Set with the reason when the camera's connection is to end."""
        return self.sender.closing

    @property
    def settings(self) -> CameraSettings:
        """The app's settings for cameras when the camera connected."""
        return self.sender.source.settings.of(CameraSettings)

    def close(self, why: Close) -> None:
        """Request the end of the camera's connection; from now on its frames are refused."""
        self.sender.close(why)

    async def ended(self, *left: asyncio.Future[Close]) -> Close:
        """Wait until the camera's connection ends, and return why; see `Sender.ended`."""
        return await self.sender.ended(self.settings.idle_timeout, lambda: self.intake.last, *left)

    def take(self, data: bytes) -> Rejected | Close | None:
        """Accept a frame; returns `None`, or why the frame was rejected, or why the connection is to end."""
        closing = self.sender.closing
        if closing.done():
            return closing.result()
        return self.intake.take(data, time.monotonic(), now_ms())

    def receive_text(self, text: str) -> Rejected | Close | None:
        """Store the device's statistics, which the API shows; the result is as for `take`."""
        if self.closing.done():
            return self.closing.result()
        rejected = None
        if text:  # an empty one is a keep-alive
            try:
                stats = read_stats(text)
            except NotStats as error:
                rejected = Rejected("not_stats", str(error))
            else:
                self.stats.clear()
                self.stats.update(stats)
        return self.intake.note(rejected, time.monotonic())


class LiveCameras:
    """The cameras among the senders.

    Args:
        senders: Keeps them apart from all others.
    """

    def __init__(self, senders: Senders) -> None:
        self._senders = senders
        self._live: dict[Sender, LiveCamera] = {}
        senders.listen(self._count)

    def current(self) -> tuple[LiveCamera, ...]:
        """All cameras that send."""
        found = (self._live.get(sender) for sender in self._senders.current())
        return tuple(live for live in found if live is not None)

    def find(self, livekit_room: str) -> LiveCamera | None:
        """The camera that sends to a room."""
        sender = self._senders.find(livekit_room)
        return None if sender is None else self._live.get(sender)

    @contextmanager
    def sending(self, authenticated: AuthenticatedCamera) -> Generator[LiveCamera]:
        """Register a camera as live while the context lasts.

        Raises:
            Conflict: Another source sends to the room, and the app's `cameraConflict` is `refuse`.
            Unavailable: Stagedoor is stopping.
        """
        camera, settings = authenticated.camera, authenticated.app.settings.of(CameraSettings)
        try:
            with self._senders.sending(_source(authenticated)) as sender:
                intake = Intake(sender.slot, settings.max_fps, settings.max_frame_bytes, time.monotonic())
                live = self._live[sender] = LiveCamera(sender, camera, authenticated.digest, intake)
                try:
                    yield live
                finally:
                    del self._live[sender]
        except RoomTaken:
            raise room_taken() from None

    def _count(self) -> None:
        CAMERAS.set(sum(sender.source.meter == "camera" for sender in self._senders.current()))


def _source(authenticated: AuthenticatedCamera) -> Source:
    camera, app = authenticated.camera, authenticated.app
    settings = app.settings.of(CameraSettings)
    return Source(
        id=camera.id,
        meter="camera",
        app_id=camera.app_id,
        app_slug=app.slug,
        room=camera.livekit_room,
        identity=camera.identity,
        name=camera.name,
        settings=app.settings,
        max_fps=settings.max_fps,
        replaces=settings.conflict == "takeover",
    )


def refuse_another(authenticated: AuthenticatedCamera, sending_id: str) -> None:
    """Raise `Conflict` when the camera may not replace the one with id `sending_id`, which sends to its room."""
    conflict = authenticated.app.settings.of(CameraSettings).conflict
    if sending_id != authenticated.camera.id and conflict == "refuse":
        raise room_taken()


def room_taken() -> Conflict:
    """The error for a camera whose room another camera sends to."""
    return Conflict(
        "Another camera sends to this room; end it first, or set the app's cameraConflict to takeover.",
        code="room_has_camera",
        headers={"Retry-After": "30"},
    )
