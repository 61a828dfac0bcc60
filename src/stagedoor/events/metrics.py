"""What Prometheus sees of the live feed."""

from __future__ import annotations

from typing import Final

from prometheus_client import Gauge

from stagedoor.kernel.metrics import REGISTRY

FEED_CLIENTS: Final = Gauge("stagedoor_feed_clients", "Open live feed connections.", registry=REGISTRY)
