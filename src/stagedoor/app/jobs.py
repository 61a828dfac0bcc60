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
from stagedoor.rooms import settling
from stagedoor.rooms.enforcing import Enforcer
from stagedoor.transcripts import archiving
from stagedoor.transcripts.recording import Recorder


def make_worker(parts: Services, node: str) -> Worker:
    """The worker of this node, by the name that it keeps over restarts."""
    return Worker(parts.database, parts.queue, kinds(parts), node=node)


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
        forget.kind(parts.database, settings.jobs_keep_done, settings.jobs_keep_ended),
        *settling.kinds(parts.database, parts.feed),
        *Enforcer(parts.database, parts.feed, parts.queue, parts.gateway, parts.bans).kinds(),
        deliverer.kind(settings.webhook_timeout),
        delivery.forget_kind(parts.database, settings.webhook_keep_deliveries),
        Recorder(parts.database, parts.queue, parts.gateway, parts.scribe).kind(),
        *archiving.kinds(parts.database, parts.feed, parts.queue, parts.objects),
        sweep.kind(parts.database, parts.queue, settings.retention_interval),
        endpoints.recover_kind(parts.database, parts.queue),
    ]
