"""An app's settings for viewers of frames."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from stagedoor.kernel.feature_settings import Bounds, FeatureSettings


class ViewerSettings(FeatureSettings, frozen=True, rename=lambda name: f"camera_{name}"):
    """An app's settings for viewers of frames."""

    max_viewers: Annotated[
        int,
        Meta(description="Viewers of a room's frames at a time, on each node.", examples=[1_000]),
        Bounds(0, 100_000),
    ] = 1_000
