"""What Prometheus counts of the comparisons with LiveKit's lists."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from stagedoor.kernel.metrics import REGISTRY, from_zero

RECONCILE_RUNS: Final = Counter(
    "stagedoor_reconcile_runs",
    "Comparisons with LiveKit's lists, by result: ok, failed.",
    ("result",),
    registry=REGISTRY,
)
REPAIRS: Final = Counter(
    "stagedoor_reconcile_repairs",
    "Repairs that a comparison made, by event type.",
    ("type",),
    registry=REGISTRY,
)

from_zero(RECONCILE_RUNS, "ok", "failed")
from_zero(
    REPAIRS,
    *(f"session.{what}" for what in ("started", "ended", "reopened")),
    *(f"participant.{what}" for what in ("joined", "left", "aborted", "reopened")),
    *(f"track.{what}" for what in ("published", "unpublished", "reopened")),
)
