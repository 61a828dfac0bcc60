"""Prometheus metrics of scaled frames."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from stagedoor.kernel.metrics import REGISTRY

CAMERA_FRAMES_UNDECODABLE: Final = Counter(
    "stagedoor_camera_undecodable_frames",
    "Frames of cameras that could not be made smaller, because no decoder takes them.",
    registry=REGISTRY,
)
