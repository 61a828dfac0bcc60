"""What Prometheus may count. No label names a tenant, a room or a person."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

disable_created_metrics()  # a series per series that no dashboard of ours reads

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

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
WEBHOOKS: Final = Counter(
    "stagedoor_webhooks",
    "LiveKit webhooks received, by what became of them: stored, duplicate, refused, malformed, too_large, unavailable.",
    ("result",),
    registry=REGISTRY,
)
WEBHOOK_REFUSALS: Final = Counter(
    "stagedoor_webhook_refusals",
    "Webhooks with a signature that was refused, by reason: missing, other_scheme, not_jwt, unknown_key,"
    " bad_signature, no_digest, body_changed, expired, not_yet.",
    ("reason",),
    registry=REGISTRY,
)
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
TOKENS: Final = Counter("stagedoor_tokens_minted", "Join tokens minted, by who asked.", ("by",), registry=REGISTRY)
LIVEKIT_UP: Final = Gauge("stagedoor_livekit_up", "1 while LiveKit answers.", registry=REGISTRY)
LIVEKIT_RESTARTS: Final = Counter("stagedoor_livekit_restarts", "Restarts of the managed LiveKit.", registry=REGISTRY)
FEED_CLIENTS: Final = Gauge("stagedoor_feed_clients", "Open live feed connections.", registry=REGISTRY)
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
JOBS: Final = Gauge(
    "stagedoor_jobs",
    "Jobs by kind and state: queued, running, failed, dead.",
    ("kind", "state"),
    registry=REGISTRY,
)
JOBS_OLDEST: Final = Gauge(
    "stagedoor_jobs_oldest_ready_seconds",
    "Age of the job that could have been done longest ago, by kind; 0 when none waits.",
    ("kind",),
    registry=REGISTRY,
)
JOBS_ENDED: Final = Counter(
    "stagedoor_jobs_attempts",
    "Attempts at jobs, by what became of them: done, retried, failed, dead, lost.",
    ("kind", "outcome"),
    registry=REGISTRY,
)
JOB_SECONDS: Final = Histogram(
    "stagedoor_job_duration_seconds",
    "Time that one attempt at a job took.",
    ("kind",),
    registry=REGISTRY,
    buckets=(0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 60, 300),
)
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
BRIDGES: Final = Gauge(
    "stagedoor_camera_bridges", "Cameras whose picture is a LiveKit track now, of this node.", registry=REGISTRY
)
BRIDGE_RESTARTS: Final = Counter(
    "stagedoor_camera_bridge_restarts",
    "Bridges that ended by themselves and were to be started again.",
    registry=REGISTRY,
)
BRIDGE_FRAMES: Final = Counter(
    "stagedoor_camera_bridge_frames",
    "Frames of bridged cameras, by what became of them: published, late (a newer one was there), undecodable,"
    " too_large, refused (by LiveKit's client, while it is not connected).",
    ("outcome",),
    registry=REGISTRY,
)

CAMERAS: Final = Gauge("stagedoor_cameras", "Cameras that send to this node now.", registry=REGISTRY)
CAMERA_FRAMES: Final = Counter("stagedoor_camera_frames", "Frames taken from cameras.", registry=REGISTRY)
CAMERA_BYTES: Final = Counter("stagedoor_camera_bytes", "Bytes of the frames taken from cameras.", registry=REGISTRY)
CAMERA_DROPPED: Final = Counter(
    "stagedoor_camera_dropped_frames",
    "Messages of cameras that were not taken, by reason: rate, too_big, not_jpeg, not_stats.",
    ("reason",),
    registry=REGISTRY,
)
CAMERA_CONNECTIONS: Final = Counter(
    "stagedoor_camera_connections",
    "Connections of cameras, by what became of them: accepted, or the status that they were refused with.",
    ("result",),
    registry=REGISTRY,
)
CAMERA_VIEWERS: Final = Gauge(
    "stagedoor_camera_viewers",
    "Who looks at cameras on this node now, by kind: mjpeg, websocket.",
    ("kind",),
    registry=REGISTRY,
)
CAMERA_FRAMES_SENT: Final = Counter(
    "stagedoor_camera_frames_sent",
    "Frames given to viewers of cameras, by kind: mjpeg, websocket, snapshot.",
    ("kind",),
    registry=REGISTRY,
)
CAMERA_FRAMES_SKIPPED: Final = Counter(
    "stagedoor_camera_frames_skipped", "Frames that viewers of cameras were too slow for.", registry=REGISTRY
)


def _from_zero(metric: Counter, *values: str) -> None:
    """Show each value of a metric's one label from the start: a series that begins with 1 has no increase, and an
    alert on it misses the first trouble."""
    for value in values:
        metric.labels(value)


_from_zero(WEBHOOKS, "stored", "duplicate", "refused", "malformed", "too_large", "unavailable")
_from_zero(
    WEBHOOK_REFUSALS,
    *("missing", "other_scheme", "not_jwt", "unknown_key", "bad_signature", "no_digest"),
    *("body_changed", "expired", "not_yet"),
)
_from_zero(INBOX_APPLIED, "applied", "unclaimed", "ignored", "retried", "failed")
_from_zero(RECONCILE_RUNS, "ok", "failed")
_from_zero(
    REPAIRS,
    *(f"session.{what}" for what in ("started", "ended", "reopened")),
    *(f"participant.{what}" for what in ("joined", "left", "aborted", "reopened")),
    *(f"track.{what}" for what in ("published", "unpublished", "reopened")),
)
_from_zero(DELIVERIES, "ok", "status", "dns", "connection", "tls", "timeout", "refused_target")
_from_zero(CAMERA_DROPPED, "rate", "too_big", "not_jpeg")
_from_zero(CAMERA_FRAMES_SENT, "mjpeg", "websocket", "snapshot")
_from_zero(BRIDGE_FRAMES, "published", "late", "undecodable", "too_large", "refused")
