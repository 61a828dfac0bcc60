"""One attempt at a job: its handler is called, and whatever comes of that is a verdict."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from stagedoor.jobs.nouns import Effect, GiveUp, Job, JobKind, Retry
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.texts import storable

_log = structlog.get_logger()
_AWAY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to."""

    state: Literal["done", "failed", "retry"]
    reason: str | None = None
    effect: Effect | None = None
    after_seconds: float | None = None
    counted: bool = True


async def attempt(kind: JobKind, job: Job) -> Verdict:
    """Call the handler; an exception is a verdict too."""
    try:
        async with asyncio.timeout(kind.timeout_seconds):
            return Verdict("done", effect=await kind.handler(job))
    except Retry as retry:
        return Verdict("retry", storable(str(retry)), retry.effect, retry.after_seconds, retry.counted)
    except GiveUp as end:
        return Verdict("failed", storable(str(end)), end.effect)
    except StorageUnavailable as error:
        return Verdict("retry", str(error), after_seconds=_AWAY_SECONDS, counted=False)
    except TimeoutError:
        return Verdict("retry", f"It took longer than {kind.timeout_seconds:g} s.")
    except Exception as error:  # noqa: BLE001 - whatever a handler raises, the job is tried again
        _log.exception("job_attempt_failed", job_id=job.id, kind=job.kind, attempts=job.attempts)
        return Verdict("retry", sentence(error))


def sentence(error: Exception) -> str:
    """An exception as a job's error."""
    return storable(f"{type(error).__name__}: {error}"[:500])
