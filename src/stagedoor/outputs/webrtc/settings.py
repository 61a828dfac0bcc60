"""An app's settings for its cameras' WebRTC tracks."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings

LINGER_SECONDS: Final = 10.0
"""How long a bridge stays after the last other participant has left, so that reloading a page does not end it."""

CameraBridge = Literal["off", "demand", "always"]


class BridgeSettings(FeatureSettings, frozen=True, rename=lambda name: f"camera_{name}"):
    """An app's settings for its cameras' WebRTC tracks."""

    bridge: Annotated[
        CameraBridge,
        Meta(
            description="When a camera's frames become a WebRTC track in its room: `off` never, `demand` while a"
            " participant is there by WebRTC, `always` while it sends.",
            examples=["demand"],
        ),
    ] = "demand"
