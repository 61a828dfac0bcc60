"""Logs: static messages with fields, to standard error, for a person or for a program."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog

from stagedoor.kernel.settings import Settings


def configure(settings: Settings) -> None:
    """Set up structlog, and let other libraries' warnings through it."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_to_json)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_drop_record, *renderer])
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _to_json(value: object, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()


def _drop_record(_: Any, __: str, event: Any) -> Any:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_, __, event)
