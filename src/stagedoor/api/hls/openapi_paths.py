"""The operations of HLS in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from stagedoor.api.problems import documented

INDEX: Final = "/hls/{app}/{room}/index.m3u8"
VIDEO: Final = "/hls/{app}/{room}/video.m3u8"
MEDIA: Final = "/hls/{app}/{room}/m/{secret}/{name}"

_TEXT: Final = {"type": "string", "maxLength": 256}


def _parameter(name: str, place: str, description: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema | {"examples": [example]},
    }


_APP: Final = _parameter("app", "path", "The app's slug.", _TEXT, "live")
_ROOM: Final = _parameter("room", "path", "The room's short or LiveKit name.", _TEXT, "live-stage")
_TOKEN: Final = _parameter(
    "token",
    "query",
    "A link's token or a join token of the room; not needed where the app's playbackPolicy is `public`.",
    {"type": "string"},
    "eyJhbGciOiJIUzI1NiJ9.eyJ1c2UiOiJwbGF5In0.c2ln",
)
_NUMBER: Final = {"type": "integer", "minimum": 0}


def _playlist(operation_id: str, summary: str, description: str, *more: dict[str, Any]) -> dict[str, Any]:
    content = {"application/vnd.apple.mpegurl": {"schema": {"type": "string"}}}
    return {
        "operationId": operation_id,
        "tags": ["HLS"],
        "summary": summary,
        "description": description,
        "parameters": [_APP, _ROOM, _TOKEN, *more],
        "responses": {"200": {"description": "The playlist", "content": content}}
        | {str(status): answer for status, answer in documented(400, 401, 403, 404, 429, 503).items()},
    }


OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    INDEX: _playlist(
        "get_hls",
        "Watch as HLS",
        "The multivariant playlist, which players are given. The first request begins the HLS of the room and waits for"
        " its first segment; while nothing is sent to the room the answer is 404 with `Retry-After`.",
    ),
    VIDEO: _playlist(
        "get_hls_media_playlist",
        "The playlist of segments and parts",
        "With `_HLS_msn` and `_HLS_part` it is answered when it has that segment or part (RFC 8216bis §6.2.5.2).",
        _parameter("viewer", "query", "Names the viewer, for the count.", {"type": "string"}, "q3Zt0n8m4L2c"),
        _parameter("_HLS_msn", "query", "A media sequence number to wait for.", _NUMBER, 26_870_412),
        _parameter("_HLS_part", "query", "A part of that segment to wait for.", _NUMBER, 2),
        _parameter(
            "_HLS_skip", "query", "Leave out what the player has.", {"type": "string", "enum": ["YES", "v2"]}, "YES"
        ),
    ),
    MEDIA: {
        "operationId": "get_hls_media",
        "tags": ["HLS"],
        "summary": "A segment, a part or an initialization segment",
        "description": "Its path is in the playlist, and cannot be guessed. It never changes. A part that the playlist"
        " hints at is answered when it is there.",
        "parameters": [
            _APP,
            _ROOM,
            _parameter("secret", "path", "Of the segment.", _TEXT, "Jd0m4Z1rT7oQ2nXb9sVfKw"),
            _parameter("name", "path", "Of the file.", _TEXT, "26870412.2.mp4"),
        ],
        "responses": {
            "200": {
                "description": "The media",
                "content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}},
            },
            "206": {"description": "A range of it"},
        }
        | {str(status): answer for status, answer in documented(404, 416, 503).items()},
    },
}
"""The operations, by path."""
