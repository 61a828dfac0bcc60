"""An OpenTelemetry collector as far as traces need one: a real OTLP/HTTP receiver that decodes the protobuf."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it came in; ids are hexadecimal, `parent_id` is empty for a root."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failed: bool
    attributes: dict[str, Any]
    service: str


class Collector:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Received] = []
        self.requests: list[tuple[str, str]] = []
        """Path and content type of each."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a product sends its spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    @property
    def spans(self) -> list[Received]:
        with self._lock:
            return list(self._spans)

    def wait(self, *wanted: Callable[[Received], bool], seconds: float = 20.0) -> list[Received]:
        """For each condition the first span that it holds for, once there are all."""
        deadline = time.monotonic() + seconds
        while True:
            spans = self.spans
            found = [next((span for span in spans if condition(span)), None) for condition in wanted]
            whole = [span for span in found if span is not None]
            if len(whole) == len(found):
                return whole
            assert time.monotonic() < deadline, f"only these spans came: {[(s.name, s.attributes) for s in spans]}"
            time.sleep(0.02)

    def take(self, path: str, content_type: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        received = [
            Received(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.kind,
                span.status.code == 2,
                _attributes(span.attributes),
                str(_attributes(group.resource.attributes).get("service.name")),
            )
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self.requests.append((path, content_type))
            self._spans += received

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def collecting() -> Generator[Collector]:
    """A collector on a loopback port."""
    collector = Collector()
    thread = threading.Thread(target=collector.run, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.stop()
        thread.join()


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(self.path, self.headers["Content-Type"], body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
