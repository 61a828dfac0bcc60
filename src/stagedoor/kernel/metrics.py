"""What Prometheus may count. No label names a tenant, a room or a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

disable_created_metrics()  # a series per series that no dashboard reads

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


class FormerName(Collector):
    """A metric under the name that it had before, for dashboards and alerts that still ask for that.

    Args:
        metric: The metric.
        name: Its name now, without `_total`.
        former: Its name before, likewise.
    """

    def __init__(self, metric: Counter, name: str, former: str) -> None:
        self._metric = metric
        self._name = name
        self._former = former
        REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        """The metric's samples, under the former name."""
        for family in self._metric.collect():
            renamed = Metric(self._former, f"Was the name of {self._name}_total, and goes on to be shown.", family.type)
            renamed.samples = [
                sample._replace(name=self._former + sample.name.removeprefix(self._name)) for sample in family.samples
            ]
            yield renamed


class LoopCounter(Collector):
    """A counter that the event loop alone counts, tens of thousands of times a second: prometheus_client's takes a lock
    and four calls for each.

    Args:
        name: The metric's name, without `_total`.
        documentation: What it counts.

    Attributes:
        value: The count, to be added to.
    """

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self.value = 0
        REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        """The metric's sample."""
        yield CounterMetricFamily(self._name, self._documentation, value=self.value)


def from_zero(metric: Counter, *values: str) -> None:
    """Show each value of a metric's one label from the start: a series that begins with 1 has no increase, and an
    alert on it misses the first trouble."""
    for value in values:
        metric.labels(value)
