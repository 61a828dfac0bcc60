"""What a connection speaks, by its first bytes."""

from __future__ import annotations

from typing import Final, Literal

Spoken = Literal["rtmp", "tls", "http", "mpegts", "rtmpe", "not_rtmp"]

PEEKED: Final = 4
_METHODS: Final = (b"GET", b"POST", b"PUT", b"HEAD", b"OPTI", b"DELE", b"PATC", b"CONN", b"PRI ")

SENTENCES: Final[dict[Spoken, str]] = {
    "tls": "A client speaks TLS to the RTMP port, which has no certificate; set rtmp_tls_certificate and rtmp_tls_key.",
    "http": "A client speaks HTTP to the RTMP port.",
    "mpegts": "A client sends MPEG-TS to the RTMP port; set the encoder to RTMP.",
    "rtmpe": "A client wants RTMPE, an encryption that protects nothing; use rtmps:// instead.",
    "not_rtmp": "A client does not speak RTMP on the RTMP port.",
}


def spoken(first: bytes) -> Spoken:
    """The protocol that begins with these bytes, one at least."""
    if first[0] == 0x03:
        return "rtmp"
    if first[0] == 0x16:
        return "tls"
    if first[0] in (6, 8, 9):
        return "rtmpe"
    if first.startswith(_METHODS):
        return "http"
    return "mpegts" if first[0] == 0x47 else "not_rtmp"
