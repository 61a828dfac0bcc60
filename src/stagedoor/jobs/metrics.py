"""What Prometheus counts of jobs."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from stagedoor.kernel.metrics import REGISTRY

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
