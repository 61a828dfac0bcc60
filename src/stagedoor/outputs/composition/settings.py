"""An app's settings for composed rooms."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import Bounds, FeatureSettings

Layout = Literal["grid", "speaker"]
Size = Literal["360p", "540p", "720p", "1080p"]

SIZES: Final[dict[Size, tuple[int, int]]] = {
    "360p": (640, 360),
    "540p": (960, 540),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
}


class CompositionSettings(FeatureSettings, frozen=True, rename=lambda name: f"composition_{name}"):
    """An app's settings for composed rooms."""

    layout: Annotated[
        Layout,
        Meta(
            description="How the pictures of a composed room are arranged: `grid` in equal tiles, `speaker` with who"
            " speaks large. Shared screens are large in both.",
            examples=["grid"],
        ),
    ] = "grid"
    size: Annotated[
        Size,
        Meta(description="Size of the composed picture; 1080p costs about twice as much as 720p.", examples=["720p"]),
    ] = "720p"
    fps: Annotated[int, Meta(description="Pictures a second of a composed room.", examples=[25]), Bounds(5, 30)] = 25
    bitrate: Annotated[
        int,
        Meta(description="Most bits a second of a composed room's video; 0 chooses by the size.", examples=[2_500_000]),
        Bounds(0, 6_000_000),
    ] = 0
