"""What an app decides of its sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from pydantic import Field

from stagedoor.kernel.feature_settings import FeatureSettings
from stagedoor.kernel.settings import Duration, InstallationSettings

TranscriptPolicy = Literal["off", "speech", "speech_and_chat"]


class SessionSettings(FeatureSettings, frozen=True):
    """What an app decides of its sessions, unless a session was announced with another wish."""

    transcript: Annotated[
        TranscriptPolicy,
        Meta(
            description="What is recorded of every session: speech that agents transcribe, and chat.",
            examples=["off"],
        ),
    ] = "off"


class ReconcileSettings(InstallationSettings):
    """Comparing our state with LiveKit's."""

    reconcile_interval: Duration = Field(
        default=30, description="Seconds between two comparisons of our state with LiveKit's."
    )
