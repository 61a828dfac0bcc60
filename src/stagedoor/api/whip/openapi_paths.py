"""The operations of WHIP in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from stagedoor.api.problems import documented
from stagedoor.sources.whip.upstream import FRAGMENT, SDP

_TEXT: Final = {"type": "string", "maxLength": 256}
_SDP_TEXT: Final = {"type": "string", "maxLength": 131_072}


def _in_path(name: str, description: str, example: str) -> dict[str, Any]:
    schema = _TEXT | {"examples": [example]}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", "examples": [example]}}


_APP: Final = _in_path("app", "The app's slug.", "live")
_ROOM: Final = _in_path("room", "The room's short or LiveKit name.", "live-studio")
_KEY: Final = _in_path("streamKey", "The ingress's stream key.", "stk_q3Zt0n8m4L2cV7sKxY1bWd5e")
_SESSION: Final = _in_path("session", "The last part of the session's URL.", "Jd0m4Z1rT7oQ2nXb9sVfKc3h")
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the ICE session, or a list that has it, to add candidates; `*` to restart ICE. "
    " Candidates with the session's own ICE credentials are taken without it; without it others are answered with 428.",
    "schema": {"type": "string", "examples": ['"XHAyeWEtceuShuKR"']},
}
_OFFER: Final = {
    "required": True,
    "description": "The SDP offer: one audio section, one video section, or both, in one bundle.",
    "content": {SDP: {"schema": _SDP_TEXT}},
}
_ANSWER: Final = {
    "description": "The SDP answer; the session has begun",
    "headers": {
        "Location": _header("URL of the session.", "https://stagedoor.example.com/whip/live/live-studio/Jd0m4Z1rT7oQ"),
        "ETag": _header("Id of the ICE session.", '"XHAyeWEtceuShuKR"'),
        "Link": _header("ICE servers.", '<stun:stun.example.com:3478>; rel="ice-server"'),
    },
    "content": {SDP: {"schema": {"type": "string"}}},
}


def _operation(operation_id: str, summary: str, description: str, **more: Any) -> dict[str, Any]:
    return {"operationId": operation_id, "tags": ["Ingress"], "summary": summary, "description": description} | more


def _create(operation_id: str, description: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return _operation(
        operation_id,
        "Publish by WHIP",
        description,
        parameters=parameters,
        requestBody=_OFFER,
        responses={201: _ANSWER} | documented(400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 502, 503),
    )


OPERATIONS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/whip/{app}/{room}"): _create(
        "create_whip_session",
        "The WHIP endpoint of RFC 9725, with the ingress's stream key as Bearer. The session's URL is in `Location`.",
        [_APP, _ROOM],
    ),
    ("POST", "/whip/{streamKey}"): _create(
        "create_whip_session_by_key", "The same for encoders that have one field only, which is a URL.", [_KEY]
    ),
    ("PATCH", "/whip/{app}/{room}/{session}"): _operation(
        "patch_whip_session",
        "Trickle ICE candidates, or restart ICE",
        "As RFC 9725 says: with the ETag of the ICE session it adds candidates, with `*` it restarts ICE. A"
        " fragment with the ICE credentials that the session has adds candidates in any case.",
        parameters=[_APP, _ROOM, _SESSION, _IF_MATCH],
        requestBody={"required": True, "content": {FRAGMENT: {"schema": _SDP_TEXT}}},
        responses={
            200: {
                "description": "ICE was restarted",
                "headers": {"ETag": _header("Id of the new ICE session.", '"wYFwhQuDhijjsyNW"')},
                "content": {FRAGMENT: {"schema": {"type": "string"}}},
            },
            204: {"description": "The candidates were added"},
        }
        | documented(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 502, 503),
    ),
    ("DELETE", "/whip/{app}/{room}/{session}"): _operation(
        "delete_whip_session",
        "End a WHIP session",
        "The participant leaves the room at once.",
        parameters=[_APP, _ROOM, _SESSION],
        responses={200: {"description": "The session has ended"}} | documented(401, 403, 404, 503),
    ),
}
"""The operations, by method and path."""
