"""Prometheus metrics of cameras."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY, LoopCounter, from_zero

CAMERAS: Final = Gauge("stagedoor_cameras", "Cameras that send to this node now.", registry=REGISTRY)
CAMERA_FRAMES: Final = LoopCounter("stagedoor_camera_frames", "Frames taken from cameras.")
CAMERA_BYTES: Final = LoopCounter("stagedoor_camera_bytes", "Bytes of the frames taken from cameras.")
CAMERA_DROPPED: Final = Counter(
    "stagedoor_camera_dropped_frames",
    "Messages of cameras that were not taken, by reason: rate, too_big, not_jpeg, not_stats.",
    ("reason",),
    registry=REGISTRY,
)
CAMERA_CONNECTIONS: Final = Counter(
    "stagedoor_camera_connections",
    "Connections of cameras, by what became of them: accepted, or the status that they were refused with.",
    ("result",),
    registry=REGISTRY,
)

from_zero(CAMERA_DROPPED, "rate", "too_big", "not_jpeg", "not_stats")
