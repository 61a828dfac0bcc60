"""What an app decides of watching and of joining, and how long a token lives by default."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings

DEFAULT_TTL: Final = 3_600
"""Seconds that a token or link lives when the request has no `ttl`; an app's maximum is `tenancy/token_settings.py`."""

PlaybackPolicy = Literal["signed", "public"]
AccessLevel = Literal["public", "organisation", "invited"]


class PlaybackSettings(FeatureSettings, frozen=True):
    """What an app decides of watching."""

    playback_policy: Annotated[
        PlaybackPolicy,
        Meta(
            description="`signed`: only links with a signed token may watch. `public`: no token is needed.",
            examples=["signed"],
        ),
    ] = "signed"


class RoomAccessSettings(FeatureSettings, frozen=True):
    """What an app decides of joining."""

    room_access: Annotated[
        AccessLevel,
        Meta(
            description="Which users may join a room that has no access level of its own. `public`: every user who is"
            " signed in. `organisation`: members of the organisation. `invited`: those who are invited to the room.",
            examples=["organisation"],
        ),
    ] = "organisation"
