"""What an app decides of its sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings

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
