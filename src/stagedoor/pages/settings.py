"""What an app decides of its pages."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta
from pydantic import Field, StringConstraints

from stagedoor.kernel.feature_settings import FeatureSettings, Written
from stagedoor.kernel.wording import form

_ANCESTOR = form(
    r"^(\*|'self'|https?://[A-Za-z0-9*.:\[\]-]+)$", "it is an origin such as https://www.example.com, or * or 'self'"
)
_Ancestor = Annotated[str, StringConstraints(pattern=_ANCESTOR, max_length=200)]
_Ancestors: Any = Annotated[list[_Ancestor], Field(max_length=50)]


class PageSettings(FeatureSettings, frozen=True):
    """What an app decides of its pages."""

    frame_ancestors: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="Origins that may show the pages in a frame; null: any may frame /embed, and none the others.",
            examples=[["https://www.example.com"]],
        ),
        Written(_Ancestors | None),
    ] = None
