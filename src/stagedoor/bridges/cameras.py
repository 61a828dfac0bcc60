"""What bridges have to know of the cameras that send to this node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from stagedoor.frames.hub import Slot

BridgePolicy = Literal["off", "demand", "always"]


class Camera(Protocol):
    """A camera."""

    @property
    def id(self) -> str: ...
    @property
    def app_id(self) -> str: ...
    @property
    def livekit_room(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def name(self) -> str: ...


class CameraSettings(Protocol):
    """Of its app, when it connected."""

    @property
    def camera_bridge(self) -> BridgePolicy: ...
    @property
    def camera_max_fps(self) -> int: ...


class LiveCamera(Protocol):
    """A connection of a camera that sends now; the next one is another object."""

    @property
    def camera(self) -> Camera: ...
    @property
    def settings(self) -> CameraSettings: ...
    @property
    def slot(self) -> Slot: ...


class LiveCameras(Protocol):
    """All of this node's, one a room."""

    def current(self) -> Sequence[LiveCamera]: ...
    def listen(self, listener: Callable[[], None], /) -> None: ...
