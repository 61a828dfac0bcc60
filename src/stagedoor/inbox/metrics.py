"""What Prometheus counts of LiveKit's webhooks."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from stagedoor.kernel.metrics import REGISTRY, FormerName, from_zero

WEBHOOKS: Final = Counter(
    "stagedoor_livekit_webhooks",
    "LiveKit webhooks received, by what became of them: stored, duplicate, refused, malformed, too_large, unavailable.",
    ("result",),
    registry=REGISTRY,
)
WEBHOOK_REFUSALS: Final = Counter(
    "stagedoor_livekit_webhook_refusals",
    "Webhooks with a signature that was refused, by reason: missing, other_scheme, not_jwt, unknown_key,"
    " bad_signature, no_digest, body_changed, expired, not_yet.",
    ("reason",),
    registry=REGISTRY,
)
FormerName(WEBHOOKS, "stagedoor_livekit_webhooks", "stagedoor_webhooks")
FormerName(WEBHOOK_REFUSALS, "stagedoor_livekit_webhook_refusals", "stagedoor_webhook_refusals")
INBOX_APPLIED: Final = Counter(
    "stagedoor_inbox_events",
    "Stored events acted on, by outcome: applied, unclaimed, ignored, retried, failed.",
    ("outcome",),
    registry=REGISTRY,
)
INBOX_LAG: Final = Histogram(
    "stagedoor_inbox_lag_seconds",
    "Time from storing an event to having applied it.",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
INBOX_WAITING: Final = Gauge(
    "stagedoor_inbox_waiting",
    "Stored events by state: pending, unclaimed, failed.",
    ("state",),
    registry=REGISTRY,
)
INBOX_OLDEST: Final = Gauge(
    "stagedoor_inbox_oldest_pending_seconds",
    "Age of the event that has waited longest to be applied; 0 when none waits.",
    registry=REGISTRY,
)

from_zero(WEBHOOKS, "stored", "duplicate", "refused", "malformed", "too_large", "unavailable")
from_zero(
    WEBHOOK_REFUSALS,
    *("missing", "other_scheme", "not_jwt", "unknown_key", "bad_signature", "no_digest"),
    *("body_changed", "expired", "not_yet"),
)
from_zero(INBOX_APPLIED, "applied", "unclaimed", "ignored", "retried", "failed")
