"""`POST /apps/{app}/tokens`: the call that every WebRTC integration makes, so it is a front route."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.types import Receive, Scope

from stagedoor.access.grants import JoinRequest
from stagedoor.api.addresses import watching_urls
from stagedoor.api.authentication import authenticated
from stagedoor.api.bodies import read_body
from stagedoor.api.front import FrontRoute, Reply, json_reply
from stagedoor.api.joining import NewToken
from stagedoor.api.problems import documented
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.kernel.texts import unreadable
from stagedoor.kernel.wording import wording_of_msgspec
from stagedoor.services.services import Services


class TokenBody(msgspec.Struct, rename="camel", frozen=True):
    """What a LiveKit client joins with, and the pages of the same room."""

    token: Annotated[str, Meta(description="The join token.", examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])]
    app: Annotated[str, Meta(description="The app's slug.", examples=["live"])]
    room: Annotated[str, Meta(description="The room's LiveKit name.", examples=["live-demo"])]
    identity: Annotated[str, Meta(description="Who the token is for.", examples=["phone-42"])]
    ws_url: Annotated[str, Meta(description="LiveKit's address.", examples=["wss://media.example.com"])]
    play_url: Annotated[
        str,
        Meta(
            description="Page to watch the room.",
            examples=["https://stagedoor.example.com/play/live/live-demo"],
        ),
    ]
    embed_url: Annotated[
        str,
        Meta(
            description="The same for a frame.",
            examples=["https://stagedoor.example.com/embed/live/live-demo"],
        ),
    ]
    expires_at: Annotated[
        str, Meta(description="When token and signed links end.", examples=["2026-01-31T13:00:00.000Z"])
    ]
    warning: Annotated[
        str | None,
        Meta(description="What may keep a browser from using the token; null as a rule.", examples=[None]),
    ]


class TokenAnswer(msgspec.Struct, frozen=True):
    """The envelope of a success."""

    data: Annotated[TokenBody, Meta(description="What was asked for.")]


_decoder = msgspec.json.Decoder(NewToken)
_encoder = msgspec.json.Encoder()
SCOPE: Final = "tokens:write"


class TokensEndpoint:
    """Answers `POST /apps/{app}/tokens`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limit = services.settings.api_max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        """Mint a join token."""
        services = self._services
        caller = await authenticated(services, scope)
        caller.require(SCOPE)
        wanted = _decode(await read_body(receive, self._limit))
        reference = scope["path_params"]["app"]
        if "\x00" in reference:  # which PostgreSQL could not even look for
            raise NotFound("There is no such app.", code="app_not_found")
        app = await services.directory.app(caller, reference)
        issued = await services.issuer.issue(app, wanted, "api", ends_by=caller.expires_at)
        grant = issued.grant
        play_url, embed_url = watching_urls(services, app, grant.livekit_room, grant.ttl)
        token = TokenBody(
            token=issued.jwt,
            app=app.slug,
            room=grant.livekit_room,
            identity=grant.identity,
            ws_url=services.gateway.endpoint.client_url,
            play_url=play_url,
            embed_url=embed_url,
            expires_at=rfc3339(issued.expires_at),
            warning=issued.warning,
        )
        return json_reply(201, _encoder.encode(TokenAnswer(token)))


def _decode(body: bytes) -> JoinRequest:
    try:
        asked = _decoder.decode(body)
    except msgspec.ValidationError as error:
        field, message = wording_of_msgspec(str(error))
        items = [{"field": field, "message": message}]
        place = f"{field}: " if field else ""
        raise Invalid(f"{place}{message}.", code="validation_failed", extra={"errors": items}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable(body) from None
    return asked.request(asked.room, None if asked.room_config is None else asked.room_config.config())


def _operation() -> tuple[dict[str, Any], dict[str, Any]]:
    (ask, answer), components = msgspec.json.schema_components(
        (NewToken, TokenAnswer), ref_template="#/components/schemas/{name}"
    )
    operation = {
        "tags": ["Tokens"],
        "summary": "Mint a join token",
        "description": "The one call that every WebRTC client needs. Make it from your backend; never ship an API key.",
        "operationId": "create_token",
        "parameters": [
            {
                "name": "app",
                "in": "path",
                "required": True,
                "description": "The app's slug or id.",
                "schema": {"type": "string", "maxLength": 64, "examples": ["live"]},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": ask}}},
        "responses": {
            "201": {"description": "The token", "content": {"application/json": {"schema": answer}}},
            **{str(status): body for status, body in documented(400, 401, 403, 404, 409, 413, 422, 503).items()},
        },
    }
    return operation, components


def route(prefix: str, services: Services) -> FrontRoute:
    """The route under `prefix`."""
    operation, schemas = _operation()
    return FrontRoute(
        f"{prefix}/apps/{{app}}/tokens",
        TokensEndpoint(services),
        method="POST",
        needed_scope=SCOPE,
        operation=operation,
        schemas=schemas,
    )
