"""An app's settings for viewers of an absent camera, and the installation's for several nodes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from pydantic import Field, SecretStr, field_validator

from stagedoor.kernel.feature_settings import FeatureSettings, Span
from stagedoor.kernel.settings import InstallationSettings

_NAMES = {"placeholder": "camera_slate", "resume": "camera_resume"}


class StreamSettings(FeatureSettings, frozen=True, rename=_NAMES):
    """An app's settings for viewers of a camera that is absent."""

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


class ClusterSettings(InstallationSettings):
    """The installation's settings for several nodes that share media."""

    redis_url: SecretStr | None = Field(
        default=None,
        description="redis://… or rediss://…: a camera of one node is seen on every node; not needed on one machine.",
    )

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write it as redis://user:password@host:6379/0")
        return value
