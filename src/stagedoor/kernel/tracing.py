"""Traces: spans by hand, whose context is carried in stored rows. Without an exporter they cost nothing."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager


def traceparent() -> str | None:
    """The W3C `traceparent` of the span that we are in; `None` when nothing is traced."""
    return None


@contextmanager
def span(name: str, *, parent: str | None = None, attributes: Mapping[str, str | int] | None = None) -> Generator[None]:
    """Do something inside a span that belongs to `parent`, a `traceparent` from a stored row."""
    del name, parent, attributes
    yield
