"""An app's settings for its cameras."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import Bounds, FeatureSettings, Span
from stagedoor.sources.cameras.intake import LARGEST_FRAME

CameraConflict = Literal["refuse", "takeover"]


class CameraSettings(FeatureSettings, frozen=True, rename=lambda name: f"camera_{name}"):
    """An app's settings for its cameras."""

    limit: Annotated[int, Meta(description="Cameras that the app may have.", examples=[100]), Bounds(0, 100_000)] = 100
    max_fps: Annotated[
        int,
        Meta(
            description="Frames a second that are taken from a camera; what is more is dropped.",
            examples=[30],
        ),
        Bounds(1, 120),
    ] = 30
    max_frame_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the largest frame that is taken; a larger one is dropped.",
            examples=[524_288],
        ),
        Bounds(1_024, LARGEST_FRAME),
    ] = 524_288
    idle_timeout: Annotated[
        int,
        Meta(description="How long a camera may send no frame; 2s to 1h.", examples=["30s"]),
        Span("2s", "1h"),
    ] = 30
    query_key: Annotated[
        bool,
        Meta(
            description="Whether a camera may send its key as `key` in the URL, where proxies may log it.",
            examples=[False],
        ),
    ] = False
    conflict: Annotated[
        CameraConflict,
        Meta(
            description="What happens to a camera that comes to a room where another one sends: `refuse` answers 409,"
            " `takeover` ends the other one.",
            examples=["refuse"],
        ),
    ] = "refuse"
