"""Prometheus metrics of RTMP."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY, from_zero

CONNECTIONS: Final = Gauge("stagedoor_rtmp_connections", "RTMP connections to this node now.", registry=REGISTRY)
PUBLISHERS: Final = Gauge(
    "stagedoor_rtmp_publishers", "Encoders that publish by RTMP to this node now.", registry=REGISTRY
)
BYTES: Final = Counter("stagedoor_rtmp_bytes", "Bytes of media taken by RTMP.", registry=REGISTRY)
PUBLISHED: Final = Counter(
    "stagedoor_rtmp_publishes",
    "Requests to publish by RTMP, by result: accepted, wrong_key, refused, failed.",
    ("result",),
    registry=REGISTRY,
)
CLOSED: Final = Counter(
    "stagedoor_rtmp_closed",
    "RTMP connections that this node closed, by reason: a limit (connections, half_open, rate, wrong_keys), a timeout"
    " (handshake, publish, silent), what is not RTMP (http, mpegts, tls, rtmpe, not_rtmp), a mistake of the protocol.",
    ("reason",),
    registry=REGISTRY,
)

LIMITS: Final = ("connections", "half_open", "rate", "wrong_keys")
TIMEOUTS: Final = ("handshake", "publish", "silent")
NOT_RTMP: Final = ("http", "mpegts", "tls", "rtmpe", "not_rtmp")

from_zero(PUBLISHED, "accepted", "wrong_key", "refused", "failed")
from_zero(CLOSED, *LIMITS, *TIMEOUTS, *NOT_RTMP, "protocol", "play", "unsupported_codec")
