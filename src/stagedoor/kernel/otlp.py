"""Spans by OpenTelemetry's SDK, sent as OTLP over HTTP by a thread of its own. Imported only when traces are on.

The SDK reads the standard variables itself: endpoint, headers, time-outs, sampler, service name, queue. Its queue is
bounded and drops what does not fit, so a collector that is slow or away costs spans and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stagedoor import __version__
from stagedoor.kernel.tracing import Attributes, Kind, Span

_T = TypeVar("_T")
_W3C: Final = TraceContextTextMapPropagator()
_KINDS: Final[dict[Kind, trace.SpanKind]] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}


class _OpenSpan(Span):
    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def failed(self, reason: str) -> None:
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))

    def end(self) -> None:
        if self._span.is_recording():  # the SDK warns of a second end
            self._span.end()


class OtlpTracer:
    """Makes spans and sends them."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("stagedoor", __version__)

    def traceparent(self) -> str | None:
        headers: dict[str, str] = {}
        _W3C.inject(headers)
        return headers.get("traceparent")

    @contextmanager
    def span(self, name: str, parent: str | None, kind: Kind, attributes: Attributes | None) -> Generator[_OpenSpan]:
        context = None if parent is None else _W3C.extract({"traceparent": parent}, Context())
        span = self._tracer.start_span(name, context, _KINDS[kind], attributes)
        opened = _OpenSpan(span)
        try:
            # Not the SDK's record of an exception: a database's error repeats the statement with everything in it.
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield opened
        except Exception as error:
            opened.failed(type(error).__name__)
            raise
        finally:
            opened.end()

    def carried(self, work: Callable[[Any], _T]) -> Callable[[Any], _T]:
        if trace.get_current_span() is trace.INVALID_SPAN:
            return work
        context = copy_context()
        return lambda argument: context.run(work, argument)

    def stop(self, seconds: float) -> None:
        # The SDK would wait for 30 s, and its exporter tries again and again while the collector is away.
        last = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(seconds)


def make_tracer() -> OtlpTracer:
    """A tracer that exports as the environment says."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OtlpTracer(provider)


def _resource() -> Resource:
    """Who we are: what the environment says, and else our own name."""
    given = Resource.create()
    ours = {SERVICE_VERSION: __version__}
    if str(given.attributes[SERVICE_NAME]).startswith("unknown_service"):
        ours[SERVICE_NAME] = "stagedoor"
    return given.merge(Resource(ours))
