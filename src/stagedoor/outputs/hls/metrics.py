"""Prometheus metrics of HLS."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY, from_zero

HLS_ROOMS: Final = Gauge("stagedoor_hls_rooms", "Rooms whose HLS is being made on this node.", registry=REGISTRY)
HLS_VIEWERS: Final = Gauge("stagedoor_hls_viewers", "Viewers of HLS on this node now.", registry=REGISTRY)
HLS_BYTES: Final = Gauge(
    "stagedoor_hls_window_bytes", "Bytes of HLS segments in memory on this node.", registry=REGISTRY
)
HLS_WAITING: Final = Gauge(
    "stagedoor_hls_waiting_requests", "Blocking requests of HLS that wait on this node now.", registry=REGISTRY
)
HLS_SENT: Final = Counter(
    "stagedoor_hls_requests", "Answers of HLS, by kind: playlist, segment, part, init.", ("kind",), registry=REGISTRY
)

from_zero(HLS_SENT, "playlist", "segment", "part", "init")
