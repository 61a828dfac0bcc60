"""What an app decides for viewers of a camera that has gone away."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings, Span

_NAMES = {"placeholder": "camera_slate", "resume": "camera_resume"}


class StreamSettings(FeatureSettings, frozen=True, rename=_NAMES):
    """What an app decides for viewers of a camera that has gone away."""

    placeholder: Annotated[
        bool,
        Meta(
            description="Whether viewers see a picture that says so while a camera is not there; without it, 404.",
            examples=[False],
        ),
    ] = False
    resume: Annotated[
        int,
        Meta(description="How long viewers stay connected after a camera went away; at most 1h.", examples=["30s"]),
        Span(longest="1h"),
    ] = 30
