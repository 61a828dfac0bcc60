"""`app/http_connection.py` and `app/websocket_connection.py` override what is no public API of uvicorn and websockets.

When this fails, uvicorn or websockets is another version: read what changed in the methods named here, see whether the
overrides are still needed and right, run `tests/app` and `tests/live`, and put the new sums in.
"""

from __future__ import annotations

import hashlib
import inspect
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import Server
from websockets import http11
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

SUMS: Final[dict[Any, str]] = {
    HttpToolsProtocol: "18fdf324b11bf160",
    RequestResponseCycle: "e67d470d435dcc1c",
    WebSocketsSansIOProtocol: "0bbcec98938432f7",
    Server.main_loop: "afccb353a119333f",
    Server.on_tick: "60ea49b06ccf68c1",
    Protocol.parse: "45aaf900644b63c4",
    Protocol.recv_frame: "4f83d3b90ea62428",
    ServerProtocol.parse: "8c4d10340de4d32f",
    http11.parse_line: "a0524c5f11a26e80",
    http11.Request.parse: "fd00e2611149536e",
}


@pytest.mark.parametrize("known", SUMS, ids=lambda known: known.__qualname__)
def test_what_is_overridden_is_as_it_was_read(known: Any) -> None:
    assert hashlib.sha256(inspect.getsource(known).encode()).hexdigest()[:16] == SUMS[known]


def test_uvicorn_is_pinned_to_what_was_read() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    pinned = [text for text in project["dependencies"] if text.startswith(("uvicorn>", "websockets>"))]
    assert len(pinned) == 2
    assert all("<" in text for text in pinned), pinned
