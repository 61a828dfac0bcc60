"""What Prometheus counts of HTTP."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

from stagedoor.kernel.metrics import REGISTRY

HTTP_REQUESTS: Final = Counter(
    "stagedoor_http_requests", "HTTP requests answered.", ("method", "route", "status"), registry=REGISTRY
)
HTTP_SECONDS: Final = Histogram(
    "stagedoor_http_request_duration_seconds",
    "Time to the first byte of the answer.",
    ("route",),
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
