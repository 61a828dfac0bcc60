"""Traces: spans by hand, whose context is carried in stored rows, so that what happens later belongs to what caused it.

OpenTelemetry's SDK is imported when the environment names an exporter, and not before: without one a span costs a
comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, Protocol, TypeVar

import structlog

_log = structlog.get_logger()
_T = TypeVar("_T")

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int]

STOP_SECONDS: Final = 3.0
"""How long the last spans may take to be sent when the product stops."""


class Span:
    """What is going on; this one notes nothing, because nothing is traced."""

    __slots__ = ()

    def rename(self, name: str) -> None:
        """Say better what it is, now that it is known."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes: ids and outcomes, never names or content."""

    def failed(self, reason: str) -> None:
        """Mark it as failed."""

    def end(self) -> None:
        """End the span, although its block goes on."""


class Tracer(Protocol):
    """What makes spans while traces are on."""

    def traceparent(self) -> str | None: ...
    def span(
        self, name: str, parent: str | None, kind: Kind, attributes: Attributes | None
    ) -> AbstractContextManager[Span]: ...
    def carried(self, work: Callable[[Any], _T]) -> Callable[[Any], _T]: ...
    def stop(self, seconds: float) -> None: ...


_NOTHING: Final = nullcontext(Span())
_tracer: Tracer | None = None


def start(environment: Mapping[str, str]) -> None:
    """Trace from now on if the environment says so, by OpenTelemetry's own variables.

    Whatever is wrong with them is logged and ends nothing: they are often set for a whole cluster.
    """
    global _tracer
    if _tracer is not None or not _wanted(environment):
        return
    from stagedoor.kernel import otlp

    try:
        _tracer = otlp.make_tracer()
    except Exception as error:  # noqa: BLE001 - whatever the SDK makes of the environment, calls come first
        _log.warning("tracing_setup_failed", error=str(error))


def stop() -> None:
    """Send the last spans, for `STOP_SECONDS` at most, and trace no more. Blocks."""
    global _tracer
    if _tracer is not None:
        tracer, _tracer = _tracer, None
        tracer.stop(STOP_SECONDS)


def enabled() -> bool:
    """Whether anything is traced."""
    return _tracer is not None


def traceparent() -> str | None:
    """The W3C `traceparent` of the span that we are in; `None` when nothing is traced."""
    return None if _tracer is None else _tracer.traceparent()


def span(
    name: str, *, parent: str | None = None, kind: Kind = "internal", attributes: Attributes | None = None
) -> AbstractContextManager[Span]:
    """Do something inside a span.

    Args:
        name: What is done; few different names, so ids go into `attributes`.
        parent: A `traceparent` from a stored row or a header; without it the span that we are in, if any.
        kind: `server` and `client` around a request, `consumer` around what was stored before, else `internal`.
        attributes: Ids and outcomes, never names or content.
    """
    return _NOTHING if _tracer is None else _tracer.span(name, parent, kind, attributes)


def carried(work: Callable[[Any], _T]) -> Callable[[Any], _T]:
    """`work` for another thread, there inside the span that we are in here."""
    return work if _tracer is None else _tracer.carried(work)


def _wanted(environment: Mapping[str, str]) -> bool:
    """OpenTelemetry's default is to export to this machine; Stagedoor exports only when an exporter is named."""

    def given(*names: str) -> str:
        return next((value for name in names if (value := environment.get(name, "").strip())), "")

    endpoint = given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = given("OTEL_TRACES_EXPORTER").lower() or ("otlp" if endpoint else "none")
    if exporter == "none" or given("OTEL_SDK_DISABLED").lower() == "true":
        return False
    if exporter != "otlp":
        _log.warning("tracing_exporter_unknown", given=exporter)
        return False
    protocol = given("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if protocol != "http/protobuf":
        _log.warning("tracing_protocol_unknown", given=protocol)
        return False
    return True
