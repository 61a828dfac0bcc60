"""Says that Redis is away, and that it is back: not at every attempt, and never once a frame."""

from __future__ import annotations

import time
from typing import Final

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError

_log = structlog.get_logger()
_QUIET_SECONDS: Final = 60.0
"""Between two complaints of one trouble."""


class RedisOutageLog:
    """What was said of it."""

    def __init__(self) -> None:
        self._said: float | None = None

    def came(self, errors: BaseExceptionGroup[Exception]) -> None:
        """Redis was lost, or is so still."""
        now = time.monotonic()
        if self._said is not None and now - self._said < _QUIET_SECONDS:
            return
        self._said = now
        error = _first(errors)
        if isinstance(error, AuthenticationError | NoPermissionError):
            _log.error("redis_credentials_refused", setting="STAGEDOOR_REDIS_URL", error=str(error))
        else:
            _log.warning("redis_unavailable", effect="frames stay on their node", error=str(error))

    def went(self) -> None:
        """Redis answers, and everything has been taken up again."""
        if self._said is not None:
            self._said = None
            _log.info("redis_available")


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
