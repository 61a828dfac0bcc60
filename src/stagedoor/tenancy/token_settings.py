"""What an app decides of its tokens. Its slug is kept from others while they may live, so it stands here."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from stagedoor.kernel.feature_settings import FeatureSettings, Span


class TokenSettings(FeatureSettings, frozen=True):
    """What an app decides of its tokens."""

    max_token_ttl: Annotated[
        int, Meta(description="Longest life of a join token, 30d at the most.", examples=["12h"]), Span(longest="30d")
    ] = 7 * 86_400
