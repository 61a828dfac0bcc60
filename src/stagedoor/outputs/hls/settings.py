"""An app's settings for HLS, and the installation's bound on its memory."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from pydantic import Field

from stagedoor.kernel.feature_settings import Bounds, FeatureSettings, Span
from stagedoor.kernel.settings import InstallationSettings

PART_SECONDS: Final = 0.5
"""The target duration of parts."""

HlsStart = Literal["off", "demand", "always"]


class HlsSettings(FeatureSettings, frozen=True, rename=lambda name: f"hls_{name}"):
    """An app's settings for HLS."""

    start: Annotated[
        HlsStart,
        Meta(
            description="`demand`: the HLS of a room begins with the first request and ends when no viewer is there."
            " `always`: it is made while there is a source. `off`: there is none.",
            examples=["demand"],
        ),
    ] = "demand"
    segment: Annotated[
        int,
        Meta(description="Target duration of segments, at most 10s; group pictures no longer.", examples=["2s"]),
        Span(shortest="2s", longest="10s", because="a shorter segment would be little more than a part"),
    ] = 2
    window: Annotated[int, Meta(description="Segments that a playlist has.", examples=[10]), Bounds(6, 60)] = 10
    idle: Annotated[
        int,
        Meta(description="How long the HLS of a room goes on when no viewer is there; at most 1h.", examples=["30s"]),
        Span(shortest="10s", longest="1h"),
    ] = 30
    max_viewers: Annotated[
        int,
        Meta(description="Viewers of a room's HLS at a time, on each node.", examples=[1_000]),
        Bounds(0, 100_000),
    ] = 1_000


class HlsMemorySettings(InstallationSettings):
    """The installation's settings for HLS."""

    hls_max_bytes: Annotated[int, Field(ge=67_108_864)] = Field(
        default=1_073_741_824,
        description="Bytes of HLS segments in memory on this node; at the bound no further room begins.",
    )
