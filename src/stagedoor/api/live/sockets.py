"""WebSocket routes outside of FastAPI: they declare who may call them, and refuse before the upgrade, as HTTP does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from stagedoor.api.problems import render, storage_unavailable
from stagedoor.kernel.errors import Problem, StorageUnavailable

Endpoint = Callable[[WebSocket], Awaitable[None]]


class SocketRoute(WebSocketRoute):
    """A route for WebSockets.

    Args:
        path: The path under the application.
        endpoint: What answers; a `Problem` that it raises before it accepts is the answer to the handshake.
        public_because: Why it needs no scope.
    """

    def __init__(self, path: str, endpoint: Endpoint, *, public_because: str) -> None:
        super().__init__(path, _Refusing(endpoint))
        self.needed_scope = None
        self.public_because = public_because


class _Refusing:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.receive()  # websocket.connect, without which there is no answer
        try:
            await self._endpoint(socket)
        except Problem as problem:
            await socket.send_denial_response(render(problem))
        except StorageUnavailable as error:
            await socket.send_denial_response(storage_unavailable(error))
