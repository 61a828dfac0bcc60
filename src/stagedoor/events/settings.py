"""What an app decides of its events."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from pydantic import Field

from stagedoor.kernel.feature_settings import FeatureSettings, Span
from stagedoor.kernel.settings import InstallationSettings


class EventSettings(FeatureSettings, frozen=True):
    """What an app decides of its events."""

    event_retention: Annotated[
        int | None,
        Meta(
            description="How long events are kept, LiveKit's own among them; null keeps them.",
            examples=["90d"],
        ),
        Span("1h", because="LiveKit may send an event again for some time"),
    ] = None


class FeedSettings(InstallationSettings):
    """The live feed."""

    feed_max_clients: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Live feed connections that one app may hold at a time on this node."
    )
