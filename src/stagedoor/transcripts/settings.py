"""What an app decides of its transcripts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings, Span


class TranscriptSettings(FeatureSettings, frozen=True):
    """What an app decides of its transcripts."""

    transcript_retention: Annotated[
        int | None,
        Meta(description="How long after its end a transcript is kept; null keeps it.", examples=["90d"]),
        Span("1h", because="LiveKit may send an event again for some time"),
    ] = None
