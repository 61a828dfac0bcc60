"""CORS for every answer under `/whip`, also those that no route of WHIP makes, such as 405 and 413."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagedoor.api.whip.headers import CORS

_HEADERS: Final = tuple((name.lower().encode(), value.encode()) for name, value in CORS.items())


class WhipCorsMiddleware:
    """Lets a page of any origin read what WHIP answers: without it a browser shows a refusal as a network error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not f"{scope['path']}/".startswith("/whip/"):
            await self._app(scope, receive, send)
            return

        async def readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, readable)
