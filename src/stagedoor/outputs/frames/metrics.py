"""Prometheus metrics of viewers of cameras' frames."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY, from_zero

CAMERA_VIEWERS: Final = Gauge(
    "stagedoor_camera_viewers",
    "Who looks at cameras on this node now, by kind: mjpeg, websocket.",
    ("kind",),
    registry=REGISTRY,
)
CAMERA_FRAMES_SENT: Final = Counter(
    "stagedoor_camera_frames_sent",
    "Frames given to viewers of cameras, by kind: mjpeg, websocket, snapshot.",
    ("kind",),
    registry=REGISTRY,
)
CAMERA_FRAMES_SKIPPED: Final = Counter(
    "stagedoor_camera_frames_skipped", "Frames that viewers of cameras were too slow for.", registry=REGISTRY
)

from_zero(CAMERA_FRAMES_SENT, "mjpeg", "websocket", "snapshot")
