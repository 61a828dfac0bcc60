"""The routes of live frames."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from stagedoor.api.live import camera_socket, frame_post, viewer_socket
from stagedoor.api.live.mjpeg import mjpeg
from stagedoor.api.live.openapi_paths import OPERATIONS
from stagedoor.api.live.snapshot import snapshot
from stagedoor.api.live.sockets import SocketRoute
from stagedoor.api.live.state import state
from stagedoor.api.raw_routes import Endpoint, HotRoute

_CAMERA: Final = "the camera's key decides"
_VIEWER: Final = "the link's token, an API key with rooms:read or the app's playback policy decides"
_ROOM: Final = "/live/{app}/{room}"


def routes() -> list[BaseRoute]:
    """For the application."""
    return [
        SocketRoute("/ingest/ws", camera_socket.send, public_because=_CAMERA),
        SocketRoute("/live/ws", viewer_socket.watch, public_because=_VIEWER),
        _hot("POST", frame_post.PATH, frame_post.post_frame, _CAMERA),
        _hot("GET", f"{_ROOM}/mjpeg", mjpeg, _VIEWER),
        _hot("GET", f"{_ROOM}/frame.jpg", snapshot, _VIEWER),
        _hot("GET", _ROOM, state, _VIEWER),
    ]


def _hot(method: str, path: str, endpoint: Endpoint, because: str) -> HotRoute:
    return HotRoute(path, endpoint, method=method, public_because=because, operation=OPERATIONS[method, path])
