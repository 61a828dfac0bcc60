"""Logs: static messages with fields, to standard error, for a person or for a program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

import msgspec
import structlog

from stagedoor.kernel.texts import escaped
from stagedoor.settings.installation import Settings

_PLAIN: Final = (int, float, bool, type(None))
_OF_STRUCTLOG: Final = frozenset({"exc_info", "exception", "_record", "_from_structlog"})


def configure(settings: Settings) -> None:
    """Set up structlog, and let other libraries' warnings through it."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks are Python's own, without the values of variables, among which are keys, tokens and settings.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    renderer: list[Any] = [
        structlog.processors.format_exc_info,
        _readable,
        structlog.processors.JSONRenderer(_to_json) if as_json else console,
    ]
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


def _readable(_: Any, __: str, event: Any) -> Any:
    """Fields as plain values: text without controls, and of other objects the class only, as they may hold secrets."""
    for name, value in event.items():
        if name == "exception":
            event[name] = escaped(str(value), lines=True)
        elif name not in _OF_STRUCTLOG:
            event[name] = _plain(value)
    return event


def _plain(value: Any) -> Any:
    match value:
        case str():
            return escaped(value)
        case PurePath() | BaseException():
            return escaped(str(value))
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case Mapping():
            return {escaped(str(name)): _plain(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return value if isinstance(value, _PLAIN) else f"<{type(value).__name__}>"


def _to_json(value: object, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()


def _drop_record(_: Any, __: str, event: Any) -> Any:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_, __, event)
