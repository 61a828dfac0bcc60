"""Prometheus metrics of cameras that are bridged to LiveKit."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY, from_zero

BRIDGES: Final = Gauge(
    "stagedoor_camera_bridges", "Cameras whose picture is a LiveKit track now, of this node.", registry=REGISTRY
)
BRIDGE_RESTARTS: Final = Counter(
    "stagedoor_camera_bridge_restarts",
    "Bridges that ended by themselves and were to be started again.",
    registry=REGISTRY,
)
BRIDGE_FRAMES: Final = Counter(
    "stagedoor_camera_bridge_frames",
    "Frames of bridged cameras, by what became of them: published, late (a newer one was there), undecodable,"
    " too_large, refused (by LiveKit's client, while it is not connected).",
    ("outcome",),
    registry=REGISTRY,
)

from_zero(BRIDGE_FRAMES, "published", "late", "undecodable", "too_large", "refused")
