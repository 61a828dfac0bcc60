"""What an app decides of watching."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings

PlaybackPolicy = Literal["signed", "public"]


class PlaybackSettings(FeatureSettings, frozen=True):
    """What an app decides of watching."""

    playback_policy: Annotated[
        PlaybackPolicy,
        Meta(
            description="`signed`: only links with a signed token may watch. `public`: no token is needed.",
            examples=["signed"],
        ),
    ] = "signed"
