"""Prometheus metrics of ingresses."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from stagedoor.kernel.metrics import REGISTRY

INGRESSES: Final = Gauge(
    "stagedoor_ingress_streams",
    "Ingresses that are connected to this node now, by their status.",
    ("status",),
    registry=REGISTRY,
)
INGRESS_ADMISSIONS: Final = Counter(
    "stagedoor_ingress_admissions",
    "Encoders and pulls that asked to publish, by source and by what became of it: admitted, or why not.",
    ("source", "result"),
    registry=REGISTRY,
)
INGRESS_ENDS: Final = Counter(
    "stagedoor_ingress_ends",
    "Publications of ingresses that ended, by source and reason.",
    ("source", "reason"),
    registry=REGISTRY,
)
