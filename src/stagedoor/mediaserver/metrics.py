"""What Prometheus sees of the LiveKit server."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY

LIVEKIT_UP: Final = Gauge("stagedoor_livekit_up", "1 while LiveKit answers.", registry=REGISTRY)
LIVEKIT_RESTARTS: Final = Counter("stagedoor_livekit_restarts", "Restarts of the managed LiveKit.", registry=REGISTRY)
