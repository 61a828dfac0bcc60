"""Limits of a connection: what its peer can make the server keep and wait for before it is authenticated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.settings.installation import Settings

MOST_HEADER_FIELDS: Final = 256
"""Of one request."""

MOST_PIPELINED: Final = 100
"""Requests that are sent before the one before them is answered."""

SLOWEST_BYTES_A_SECOND: Final = 500
"""At which a body may come: each second that it takes longer than the time-out has to bring as many bytes.

Apache's `mod_reqtimeout` has the same rate. A modem of the slowest kind in use sends four times as fast.
"""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one HTTP server.

    Attributes:
        head_bytes: Request line and header fields together; also the trailers of a chunked body.
        head_seconds: Until a head is there, from its first byte, or from the beginning of a connection.
        body_seconds: Until a body is there, and one second more for each `SLOWEST_BYTES_A_SECOND` that came.
        idle_seconds: Between an answer and the next request.
        connections: At a time.
    """

    head_bytes: int
    head_seconds: float
    body_seconds: float
    idle_seconds: float
    connections: int


def connection_limits(settings: Settings, file_limit: int) -> ConnectionLimits:
    """The limits that the settings make.

    Args:
        settings: The installation's settings.
        file_limit: Files that the process may have open: a quarter of them is kept for everything else.
    """
    return ConnectionLimits(
        head_bytes=settings.http_max_head_bytes,
        head_seconds=settings.http_head_timeout,
        body_seconds=settings.http_body_timeout,
        idle_seconds=settings.http_keep_alive,
        connections=min(settings.http_max_connections, file_limit * 3 // 4),
    )
