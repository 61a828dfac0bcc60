"""Every kind of job that the product does, and the worker that does them."""

from __future__ import annotations

from collections.abc import Sequence

from stagedoor.api.services import Services
from stagedoor.jobs import store as jobs
from stagedoor.jobs.nouns import JobKind
from stagedoor.jobs.worker import Worker
from stagedoor.outbox import endpoints
from stagedoor.outbox import store as outbox
from stagedoor.outbox.delivery import Deliverer
from stagedoor.retention import rules
from stagedoor.retention.sweep import Retention
from stagedoor.rooms import settling
from stagedoor.rooms.enforcing import Enforcer
from stagedoor.transcripts import archiving
from stagedoor.transcripts.recording import Recorder


def make_worker(parts: Services, node: str) -> Worker:
    """The worker of this node, by the name that it keeps over restarts."""
    worker = Worker(parts.database, parts.queue, kinds(parts), node=node)
    parts.clock.listen(worker.clock_jumped)
    return worker


def kinds(parts: Services) -> Sequence[JobKind]:
    """What it can do."""
    settings = parts.settings
    deliverer = Deliverer(
        parts.database,
        parts.feed,
        parts.sealer,
        parts.sender,
        settings.webhook_retry_delays,
        settings.webhook_disable_after,
    )
    return [
        *settling.kinds(parts.database, parts.feed),
        *Enforcer(parts.database, parts.feed, parts.queue, parts.gateway, parts.bans).kinds(),
        deliverer.kind(settings.webhook_timeout),
        Recorder(parts.database, parts.queue, parts.gateway, parts.scribe).kind(),
        *archiving.kinds(parts.database, parts.feed, parts.queue, parts.objects),
        *_retention(parts).kinds(settings.retention_interval),
        endpoints.recover_kind(parts.database, parts.queue),
    ]


def _retention(parts: Services) -> Retention:
    """What is deleted when it is old enough."""
    settings = parts.settings
    retention = Retention(parts.database, parts.clock)
    retention.register("jobs.forget", settings.jobs_keep_done, jobs.delete_done)
    retention.register("jobs.forget", settings.jobs_keep_ended, jobs.delete_ended)
    retention.register("webhook.forget", settings.webhook_keep_deliveries, outbox.delete_old_deliveries)
    rules.register(retention, parts.queue)
    return retention
