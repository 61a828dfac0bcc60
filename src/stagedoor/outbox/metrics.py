"""What Prometheus counts of outgoing webhooks."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from stagedoor.kernel.metrics import REGISTRY, from_zero

DELIVERIES: Final = Counter(
    "stagedoor_webhook_deliveries",
    "Attempts to deliver outgoing webhooks, by outcome: ok, status, dns, connection, tls, timeout, refused_target.",
    ("outcome",),
    registry=REGISTRY,
)
DELIVERY_SECONDS: Final = Histogram(
    "stagedoor_webhook_delivery_duration_seconds",
    "Time that one attempt to deliver an outgoing webhook took.",
    registry=REGISTRY,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ENDPOINTS_BEHIND: Final = Gauge(
    "stagedoor_webhook_endpoints_behind",
    "Endpoints whose events wait to be given out, because as many deliveries of their organisation wait as may.",
    registry=REGISTRY,
)

from_zero(DELIVERIES, "ok", "status", "dns", "connection", "tls", "timeout", "refused_target")
