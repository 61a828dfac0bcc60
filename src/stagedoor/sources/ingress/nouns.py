"""An ingress as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

InputType = Literal["rtmp", "whip", "url"]
"""How media comes: pushed by RTMP or WHIP, or pulled from a URL."""

Transcoding = Literal["auto", "never", "always"]
Layers = Literal["single", "ladder"]
Start = Literal["always", "demand"]
Engine = Literal["embedded", "livekit"]
"""What runs an ingress: Stagedoor itself, or LiveKit's Ingress service."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """A way into one room, without its key. Times are milliseconds since the epoch.

    Attributes:
        livekit_room: The LiveKit name of the room.
        identity: The identity of the ingress's participant; no other ingress of the room has it.
        transcoding: Whether media is transcoded: when the room cannot take it as it is, never, or always.
        layers: Whether its video has one layer, or several of which each viewer gets the one that fits their line.
        start: Of a pulled URL, when it is pulled: always, or while a participant is in the room.
        enabled: Whether it may publish.
        engine: What runs it.
        livekit_id: The id that LiveKit's Ingress service gave it; `None` for one that Stagedoor runs.
        url: What is pulled, without its credentials; with LiveKit's service also where an encoder pushes to.
        hint: The last four characters of its key; `None` for a pulled URL, which has none.
    """

    id: str
    app_id: str
    livekit_room: str
    input_type: InputType
    identity: str
    name: str
    metadata: str
    transcoding: Transcoding
    layers: Layers
    start: Start
    enabled: bool
    engine: Engine
    livekit_id: str | None
    url: str | None
    hint: str | None
    created_at: int
    updated_at: int
