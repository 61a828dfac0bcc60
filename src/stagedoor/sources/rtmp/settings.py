"""The installation's settings of RTMP; its address is among those of `sources/ingress/`, which encoders are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from stagedoor.kernel.settings import OFF, Duration, InstallationSettings, ListenAddressOrOff


class RtmpSettings(InstallationSettings):
    """The limits of RTMP, and RTMPS."""

    rtmps_listen: ListenAddressOrOff = Field(
        default=OFF, description="Address and port for RTMPS alone, such as 0.0.0.0:443; `off` if there is none."
    )
    rtmp_tls_certificate: Path | None = Field(
        default=None,
        description="File with the certificate for RTMPS and its chain, in PEM; read again when it changes.",
    )
    rtmp_tls_key: Path | None = Field(
        default=None, description="File with the private key of that certificate, in PEM."
    )
    rtmp_max_connections: Annotated[int, Field(ge=1)] = Field(default=2_000, description="RTMP connections at a time.")
    rtmp_max_half_open: Annotated[int, Field(ge=1)] = Field(
        default=500,
        description="RTMP connections at a time that do not publish yet; when there are more, the oldest of the address"
        " that has most of them is closed.",
    )
    rtmp_max_connects_per_second: Annotated[int, Field(ge=1)] = Field(
        default=50,
        description="RTMP connections that an address may open in a second; cameras behind a router share it.",
    )
    rtmp_max_message_bytes: Annotated[int, Field(ge=65_536, le=16_777_215)] = Field(
        default=8_388_608,
        description="Largest message of an RTMP publisher, such as a key frame, in bytes; also of all its messages"
        " together that are not complete.",
    )
    rtmp_handshake_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=10, description="Seconds until the handshake of RTMP, and before it that of TLS, must be done."
    )
    rtmp_publish_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=15, description="Seconds from there until an encoder must ask to publish."
    )
    rtmp_silent_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=30, description="Seconds for which a publisher may send no audio and no video."
    )

    @model_validator(mode="after")
    def _has_what_tls_needs(self) -> RtmpSettings:
        if (self.rtmp_tls_certificate is None) != (self.rtmp_tls_key is None):
            raise ValueError("rtmp_tls_certificate and rtmp_tls_key go together: set both or neither")
        if self.rtmps_listen != OFF and self.rtmp_tls_certificate is None:
            raise ValueError("rtmps_listen needs a certificate: set rtmp_tls_certificate and rtmp_tls_key")
        return self
