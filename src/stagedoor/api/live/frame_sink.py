"""Takes a camera's frames from its connection as they are received, bypassing the queue and the task of its endpoint.

That way costs more than all that is done with a frame (docs/how-it-works/benchmarks.md, `cameras`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.types import Scope

SINK: Final = "stagedoor.frame_sink"
"""The extension of a scope under which the HTTP server offers the binary messages of a WebSocket."""


class FrameSink:
    """What takes the binary messages of one connection.

    Attributes:
        take: Takes a message, synchronously; while it is `None`, messages are received as usual. A message in fragments
            and one that comes while others wait to be received are received as usual too.
    """

    __slots__ = ("take",)

    def __init__(self) -> None:
        self.take: Callable[[bytes], None] | None = None


def sink_of(scope: Scope) -> FrameSink:
    """The connection's sink; one that nothing comes to, where the server offers none."""
    found = scope.get("extensions", {}).get(SINK, {}).get("sink")
    return found if isinstance(found, FrameSink) else FrameSink()
