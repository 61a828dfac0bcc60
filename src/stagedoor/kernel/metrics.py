"""What Prometheus may count. No label names a tenant, a room or a person."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

disable_created_metrics()  # a series per series that no dashboard of ours reads

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


def from_zero(metric: Counter, *values: str) -> None:
    """Show each value of a metric's one label from the start: a series that begins with 1 has no increase, and an
    alert on it misses the first trouble."""
    for value in values:
        metric.labels(value)
