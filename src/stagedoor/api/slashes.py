"""Encoded slashes in paths: `%2F` is part of a name, and no boundary between two.

LiveKit lets rooms and identities hold slashes. Servers decode the path before it is matched with the routes, so a slash
of a name's would be taken for one of the path's; it goes through as another character, and comes out as itself.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from starlette.convertors import PathConvertor, StringConvertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

_MARK: Final = "\ue02f"
"""Of Unicode's private use: it means nothing in any name."""
_ENCODED: Final = re.compile(rb"%2f", re.IGNORECASE)
_MARK_ENCODED: Final = b"%EE%80%AF"


def restored(value: str) -> str:
    """A parameter of a path with its own slashes."""
    return value.replace(_MARK, "/")


class _Text(StringConvertor):
    def convert(self, value: str) -> str:
        return restored(value)


class _Path(PathConvertor):
    def convert(self, value: str) -> str:
        return restored(value)


def install() -> None:
    """Have the parameters of routes that are made from now on come out with their slashes."""
    register_url_convertor("str", _Text())
    register_url_convertor("path", _Path())


class EncodedSlashMiddleware:
    """Takes the path as it was sent, where it has an encoded slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if _ENCODED.search(raw):
            marked = _ENCODED.sub(_MARK_ENCODED, raw.partition(b"?")[0])
            scope = dict(scope, path=unquote(marked.decode("latin-1")))
        await self._app(scope, receive, send)
