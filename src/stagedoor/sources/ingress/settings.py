"""An app's settings for its ingresses, and the installation's for RTMP."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from pydantic import Field, field_validator

from stagedoor.kernel.feature_settings import Bounds, FeatureSettings
from stagedoor.kernel.settings import InstallationSettings, ListenAddressOrOff
from stagedoor.sources.ingress.nouns import Engine

IngressConflict = Literal["takeover", "refuse"]


def _wire(name: str) -> str:
    """The engine is the app's: what LiveKit's services may run and Stagedoor too."""
    return name if name == "engine" else f"ingress_{name}"


class IngressSettings(FeatureSettings, frozen=True, rename=_wire):
    """An app's settings for its ingresses."""

    engine: Annotated[
        Engine,
        Meta(
            description="What runs new ingresses: `embedded` is Stagedoor itself, `livekit` is LiveKit's Ingress"
            " service, which needs Redis.",
            examples=["embedded"],
        ),
    ] = "embedded"
    limit: Annotated[
        int, Meta(description="Ingresses that the app may have.", examples=[1_000]), Bounds(0, 100_000)
    ] = 1_000
    streams: Annotated[
        int, Meta(description="Ingresses that may publish at a time.", examples=[50]), Bounds(0, 10_000)
    ] = 50
    max_bitrate: Annotated[
        int,
        Meta(description="Bits a second of a stream's video; 0 for no limit.", examples=[20_000_000]),
        Bounds(0, 1_000_000_000),
    ] = 20_000_000
    max_width: Annotated[
        int, Meta(description="Width of a stream's pictures in pixels.", examples=[3_840]), Bounds(16, 16_384)
    ] = 3_840
    max_height: Annotated[
        int, Meta(description="Height of a stream's pictures in pixels.", examples=[2_160]), Bounds(16, 16_384)
    ] = 2_160
    max_fps: Annotated[int, Meta(description="Pictures a second of a stream.", examples=[60]), Bounds(1, 240)] = 60
    stay_seconds: Annotated[
        int,
        Meta(
            description="Seconds for which the participant of a pulled URL stays in its room while the source is away.",
            examples=[30],
        ),
        Bounds(0, 3_600),
    ] = 30
    conflict: Annotated[
        IngressConflict,
        Meta(
            description="What happens when an encoder comes with a key that another one publishes with: `takeover`"
            " ends the other one, `refuse` refuses the new one for as long as the other one is there.",
            examples=["takeover"],
        ),
    ] = "takeover"


class PublicRtmpSettings(InstallationSettings):
    """The installation's address of RTMP, as encoders are given it."""

    rtmp_listen: ListenAddressOrOff = Field(
        default="127.0.0.1:1935",
        description="Address and port that RTMP listens on, and RTMPS when there is a certificate; `off` turns it off.",
    )
    rtmp_url: str | None = Field(
        default=None,
        description="URL under which encoders reach RTMP, such as rtmp://media.example.com:1935/live; made of the host"
        " of public_url and the port of rtmp_listen if not set.",
    )

    @field_validator("rtmp_url")
    @classmethod
    def _is_rtmp(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("rtmp://", "rtmps://")):
            raise ValueError("write it as rtmp://media.example.com:1935/live")
        return None if value is None else value.rstrip("/")
