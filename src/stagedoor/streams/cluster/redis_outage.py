"""Logs that Redis is unavailable and that it is available again, at a bounded rate."""

from __future__ import annotations

import time
from typing import Final

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError

_log = structlog.get_logger()
_QUIET_SECONDS: Final = 60.0
"""The least time between two log lines about one outage."""


class RedisOutageLog:
    """Logs outages of Redis: once at the beginning, once a minute while they last, and once at the end."""

    def __init__(self) -> None:
        self._logged_at: float | None = None

    def lost(self, errors: BaseExceptionGroup[Exception]) -> None:
        """Log that the connection to Redis failed, unless the outage was logged within the last minute."""
        now = time.monotonic()
        if self._logged_at is not None and now - self._logged_at < _QUIET_SECONDS:
            return
        self._logged_at = now
        error = _first(errors)
        if isinstance(error, AuthenticationError | NoPermissionError):
            _log.error("redis_credentials_refused", setting="STAGEDOOR_REDIS_URL", error=str(error))
        else:
            _log.warning("redis_unavailable", effect="frames stay on their node", error=str(error))

    def recovered(self) -> None:
        """Log that Redis is available again, if an outage was logged."""
        if self._logged_at is not None:
            self._logged_at = None
            _log.info("redis_available")


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
