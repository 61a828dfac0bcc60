"""A LiveKit of their own for these tests, and both engines."""

from tests.streams.media.conftest import anyio_backend, bare_livekit
from tests.support.engines import database, database_url

__all__ = ["anyio_backend", "bare_livekit", "database", "database_url"]
