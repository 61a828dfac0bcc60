"""The operations of live frames in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from stagedoor.api.problems import documented
from stagedoor.streams.scaling import NARROWEST, WIDEST


def _parameter(
    name: str, place: str, description: str, schema: dict[str, Any], example: object, *, required: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": description,
        "schema": schema | {"examples": [example]},
    }


_TEXT: Final = {"type": "string", "maxLength": 256}
_APP: Final = _parameter("app", "path", "The app's slug.", _TEXT, "live", required=True)
_ROOM: Final = _parameter("room", "path", "The room's short or LiveKit name.", _TEXT, "live-door", required=True)
_TOKEN: Final = _parameter(
    "token",
    "query",
    "A play link's token or a join token of the room; not needed where the app's playbackPolicy is `public`.",
    {"type": "string"},
    "eyJhbGciOiJIUzI1NiJ9.eyJ1c2UiOiJwbGF5In0.c2ln",
)
_WIDTH: Final = _parameter(
    "width",
    "query",
    "Make frames that are wider so wide, in pixels.",
    {"type": "integer", "minimum": NARROWEST, "maximum": WIDEST},
    320,
)
_FPS: Final = _parameter(
    "fps", "query", "Frames a second at the most.", {"type": "number", "minimum": 0.1, "maximum": 120}, 5
)
_BINARY: Final = {"type": "string", "format": "binary"}
_STATE: Final = {
    "data": {
        "live": True,
        "bridged": False,
        "tracks": 0,
        "viewers": 2,
        "mjpegUrl": "https://stagedoor.example.com/live/live/live-door/mjpeg",
        "frameUrl": "https://stagedoor.example.com/live/live/live-door/frame.jpg",
        "wsUrl": "wss://stagedoor.example.com/live/ws?app=live&room=live-door",
    }
}


def _got(description: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description} | ({"content": content} if content else {})


def _operation(
    name: str, summary: str, description: str, parameters: list[Any], responses: dict[Any, Any]
) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["Live frames"],
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "responses": {str(status): answer for status, answer in responses.items()},
    }


_POST: Final = _operation(
    "post_frame",
    "Send one frame",
    "For cameras that cannot use WebSocket. `Authorization: Bearer wsk_…` is the camera's key. A camera counts as live"
    " for as long as frames keep coming within its app's cameraIdleTimeout.",
    [
        _parameter("app", "query", "The app's slug.", _TEXT, "live", required=True),
        _parameter("room", "query", "The room's short or LiveKit name.", _TEXT, "live-door", required=True),
    ],
    {204: _got("Taken")} | documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
) | {
    "requestBody": {
        "required": True,
        "description": "One whole JPEG.",
        "content": {"image/jpeg": {"schema": _BINARY}},
    }
}

OPERATIONS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/ingest/frame"): _POST,
    ("GET", "/live/{app}/{room}/mjpeg"): _operation(
        "watch_mjpeg",
        "Watch as MJPEG",
        "A picture that goes on changing: every part is one frame. A viewer that is too slow for a frame gets a newer"
        " one instead. It stays for the app's cameraResume when the camera goes away.",
        [_APP, _ROOM, _TOKEN, _FPS, _WIDTH],
        {200: _got("Frames without end", {"multipart/x-mixed-replace; boundary=frame": {"schema": _BINARY}})}
        | documented(401, 403, 404, 422, 429, 503),
    ),
    ("GET", "/live/{app}/{room}/frame.jpg"): _operation(
        "get_frame",
        "Take a snapshot",
        "The newest frame. With `If-None-Match` and `wait` it is a long poll: the next frame, as soon as there is one.",
        [
            _APP,
            _ROOM,
            _TOKEN,
            _WIDTH,
            _parameter(
                "maxAge",
                "query",
                "Seconds that the frame may be old; an older one is waited past.",
                {"type": "number", "minimum": 0, "maximum": 86_400},
                5,
            ),
            _parameter(
                "wait",
                "query",
                "Seconds to wait for a frame.",
                {"type": "number", "minimum": 0, "maximum": 30, "default": 2},
                10,
            ),
        ],
        {200: _got("The frame", {"image/jpeg": {"schema": _BINARY}}), 304: _got("The caller has it already")}
        | documented(401, 403, 404, 422, 429, 503),
    ),
    ("GET", "/live/{app}/{room}"): _operation(
        "get_live_state",
        "The state of the room's frames: whether there are any, and where",
        "For players, which choose by it how they play: `live` says that a camera sends, `bridged` that it is a WebRTC"
        " track too, `tracks` how many WebRTC tracks the room has, and `viewers` who looks at the frames on this node.",
        [_APP, _ROOM, _TOKEN],
        {
            200: _got(
                "What there is",
                {"application/json": {"schema": {"type": "object"}, "example": _STATE}},
            )
        }
        | documented(401, 403, 404, 503),
    ),
}
"""The operations, by method and path."""
