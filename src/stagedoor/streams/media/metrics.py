"""Prometheus metrics of media workers."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY

MEDIA_STREAMS: Final = Gauge(
    "stagedoor_media_streams", "Streams that this node's media workers publish, by how.", ("video",), registry=REGISTRY
)
MEDIA_LOAD: Final = Gauge(
    "stagedoor_media_load_cores", "Cores that this node's media workers take, as measured.", registry=REGISTRY
)
MEDIA_CRASHES: Final = Counter(
    "stagedoor_media_worker_crashes", "Media workers that ended without a reason.", registry=REGISTRY
)
MEDIA_SPAWNER_RESTARTS: Final = Counter(
    "stagedoor_media_spawner_restarts",
    "Times that the process that forks media workers was started again.",
    registry=REGISTRY,
)
MEDIA_REFUSED: Final = Counter(
    "stagedoor_media_streams_refused", "Streams that were refused because the machine is full.", registry=REGISTRY
)
MEDIA_DROPPED_TAGS: Final = Counter(
    "stagedoor_media_tags_dropped", "FLV tags that were left out because a worker was too slow.", registry=REGISTRY
)
