"""Every kind of job that the product does, and the worker that does them."""

from __future__ import annotations

from collections.abc import Sequence

from stagedoor.api.services import Services
from stagedoor.jobs import forget
from stagedoor.jobs.nouns import JobKind
from stagedoor.jobs.worker import Worker
from stagedoor.outbox import delivery, endpoints
from stagedoor.outbox.delivery import Deliverer
from stagedoor.retention import sweep
from stagedoor.rooms import final_usage
from stagedoor.rooms.limit_jobs import Enforcer
from stagedoor.transcripts import archiving
from stagedoor.transcripts.transcription import Recorder


def make_worker(services: Services, node: str) -> Worker:
    """The worker of this node, by the name that it keeps over restarts."""
    return Worker(services.database, services.queue, kinds(services), node=node)


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
        forget.kind(services.database, settings.jobs_keep_done, settings.jobs_keep_ended),
        *final_usage.kinds(services.database, services.feed),
        *Enforcer(services.database, services.feed, services.queue, services.gateway, services.bans).kinds(),
        deliverer.kind(settings.webhook_timeout),
        delivery.forget_kind(services.database, settings.webhook_keep_deliveries),
        Recorder(services.database, services.queue, services.gateway, services.transcriber).kind(),
        *archiving.kinds(services.database, services.feed, services.queue, services.objects),
        sweep.kind(services.database, services.queue, settings.retention_interval),
        endpoints.recover_kind(services.database, services.queue),
    ]
