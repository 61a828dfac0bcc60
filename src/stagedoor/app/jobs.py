"""Every kind of job that the product does, and the worker that does them."""

from __future__ import annotations

from collections.abc import Sequence

from stagedoor.jobs import store as jobs
from stagedoor.jobs.nouns import JobKind
from stagedoor.jobs.worker import Worker
from stagedoor.outbox import delivery_store, endpoints
from stagedoor.outbox.delivery import Deliverer
from stagedoor.outbox.trimming import trim_kind
from stagedoor.people import invitation_store, link_store, session_store
from stagedoor.retention import rules
from stagedoor.retention.sweep import Retention
from stagedoor.rooms import final_usage
from stagedoor.rooms.limit_jobs import Enforcer
from stagedoor.services.services import Services
from stagedoor.transcripts import archiving
from stagedoor.transcripts.transcription import TranscriptionJobs


def make_worker(services: Services, node: str) -> Worker:
    """The worker of this node, by the name that it keeps over restarts."""
    worker = Worker(services.database, services.queue, kinds(services), node=node)
    services.clock.listen(worker.clock_jumped)
    return worker


def kinds(services: Services) -> Sequence[JobKind]:
    """What it can do."""
    settings = services.settings
    deliverer = Deliverer(
        services.database,
        services.feed,
        services.sealer,
        services.sender,
        settings.webhook_retry_delays,
        settings.webhook_disable_after,
    )
    return [
        *final_usage.kinds(services.database, services.feed),
        *Enforcer(services.database, services.feed, services.queue, services.gateway, services.bans).kinds(),
        deliverer.kind(settings.webhook_timeout),
        TranscriptionJobs(services.database, services.queue, services.gateway, services.transcriber).kind(),
        *archiving.kinds(services.database, services.feed, services.queue, services.objects),
        *_retention(services).kinds(settings.retention_interval),
        trim_kind(services.database, settings.webhook_max_kept),
        endpoints.recover_kind(services.database, services.queue, settings.webhook_max_pending),
    ]


def _retention(services: Services) -> Retention:
    """What is deleted when it is old enough."""
    settings = services.settings
    retention = Retention(services.database, services.clock)
    retention.register("jobs.forget", settings.jobs_keep_done, jobs.delete_done)
    retention.register("jobs.forget", settings.jobs_keep_ended, jobs.delete_ended)
    retention.register("webhook.forget", settings.webhook_keep_deliveries, delivery_store.delete_old_deliveries)
    retention.register("sign_in.forget", settings.sign_in_idle_timeout, session_store.delete_unused)
    retention.register("sign_in.forget", 0, link_store.delete_expired)
    retention.register("sign_in.forget", 0, invitation_store.delete_expired)
    rules.register(retention, services.queue, settings.retention_max_age)
    return retention
