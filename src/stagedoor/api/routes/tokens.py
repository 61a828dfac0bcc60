"""`POST /apps/{app}/tokens`: the call that every WebRTC integration makes, so it is a hot route."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from stagedoor.access import grants
from stagedoor.api.access import Needs
from stagedoor.api.addresses import watching_urls
from stagedoor.api.problems import documented
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.services import services_of
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.kernel.texts import unreadable
from stagedoor.kernel.wording import wording_of_msgspec

_NUL_FREE = r"^[^\x00]*$"
_Text = Annotated[str, Meta(max_length=256, pattern=_NUL_FREE)]
_Seconds = Annotated[int, Meta(ge=0, le=31_536_000)]
_Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]


class _Ask(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    pass


class AgentDispatch(_Ask, frozen=True):
    """An agent that LiveKit calls into the room."""

    agent_name: Annotated[
        str,
        Meta(
            max_length=256,
            min_length=1,
            pattern=_NUL_FREE,
            description="The agent's name.",
            examples=["helper"],
        ),
    ]
    metadata: Annotated[
        str, Meta(max_length=65_536, pattern=_NUL_FREE, description="What it is told.", examples=["{}"])
    ] = ""


class RoomConfigBody(_Ask, frozen=True):
    """How LiveKit makes the room, when this token is the one that creates it."""

    empty_timeout: Annotated[
        _Seconds | UnsetType, Meta(description="Seconds that the room waits for somebody.", examples=[300])
    ] = UNSET
    departure_timeout: Annotated[
        _Seconds | UnsetType,
        Meta(description="Seconds that the room waits after the last left.", examples=[20]),
    ] = UNSET
    max_participants: Annotated[
        Annotated[int, Meta(ge=0, le=100_000)] | UnsetType,
        Meta(description="Participants at the most; 0 for no limit.", examples=[10]),
    ] = UNSET
    metadata: Annotated[
        Annotated[str, Meta(max_length=65_536, pattern=_NUL_FREE)] | UnsetType,
        Meta(description="The room's metadata.", examples=["{}"]),
    ] = UNSET
    min_playout_delay: Annotated[
        _Milliseconds | UnsetType, Meta(description="Least delay of playback, in ms.", examples=[0])
    ] = UNSET
    max_playout_delay: Annotated[
        _Milliseconds | UnsetType, Meta(description="Greatest delay of playback, in ms.", examples=[2000])
    ] = UNSET
    sync_streams: Annotated[
        bool | UnsetType, Meta(description="Keep a participant's audio and video in step.", examples=[False])
    ] = UNSET
    agents: Annotated[
        Annotated[list[AgentDispatch], Meta(max_length=20)] | UnsetType,
        Meta(description="Agents that LiveKit calls into the room.", examples=[[{"agentName": "helper"}]]),
    ] = UNSET


class NewToken(_Ask, frozen=True):
    """Who wants to join which room, and what they may do there."""

    room: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            description="The room's short name (`demo`) or LiveKit name (`live-demo`).",
            examples=["demo"],
        ),
    ]
    identity: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256, pattern=_NUL_FREE)] | None,
        Meta(description="Who it is, in 256 bytes of UTF-8 at the most; made up if not given.", examples=["phone-42"]),
    ] = None
    name: Annotated[_Text | None, Meta(description="Name that others see.", examples=["Ada"])] = None
    can_publish: Annotated[
        bool | None, Meta(description="May publish media; yes by default, no when hidden.", examples=[True])
    ] = None
    can_subscribe: Annotated[bool, Meta(description="May receive media.", examples=[True])] = True
    can_publish_data: Annotated[bool, Meta(description="May send data and chat.", examples=[True])] = True
    can_publish_sources: Annotated[
        Annotated[list[str], Meta(max_length=10)] | None,
        Meta(
            description="The only sources that may be published: camera, microphone, screen_share, screen_share_audio;"
            " empty for none.",
            examples=[["camera", "microphone"]],
        ),
    ] = None
    ttl: Annotated[
        str | float | None,
        Meta(
            description="How long the token may be used: 90s, 10m, 1h, 2d, or seconds. The app sets the maximum.",
            examples=["1h"],
        ),
    ] = None
    metadata: Annotated[
        Annotated[str, Meta(max_length=65_536, pattern=_NUL_FREE)] | None,
        Meta(description="The participant's metadata.", examples=["{}"]),
    ] = None
    attributes: Annotated[
        dict[_Text, Annotated[str, Meta(max_length=8_192, pattern=_NUL_FREE)]],
        Meta(
            max_length=64,
            description="The participant's attributes; 65,536 bytes of names and values at the most.",
            examples=[{"seat": "12"}],
        ),
    ] = {}
    hidden: Annotated[bool, Meta(description="Others don't see that it is there.", examples=[False])] = False
    audio_only: Annotated[bool, Meta(description="May publish sound and no picture.", examples=[False])] = False
    room_config: Annotated[
        RoomConfigBody | None,
        Meta(description="How LiveKit makes the room, when this token is the one that creates it."),
    ] = None


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
_needs = Needs("tokens:write")


async def create_token(request: Request) -> Response:
    """Mint a join token."""
    services = services_of(request)
    caller = await _needs(request)
    wanted = _decode(await request.body())
    reference = request.path_params["app"]
    if "\x00" in reference:  # which PostgreSQL could not even look for
        raise NotFound("There is no such app.", code="app_not_found")
    app = await services.directory.app(caller, reference)
    issued = await services.issuer.issue(app, wanted, "api")
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
    return Response(_encoder.encode(TokenAnswer(token)), 201, media_type="application/json")


def _decode(body: bytes) -> grants.JoinRequest:
    try:
        asked = _decoder.decode(body)
    except msgspec.ValidationError as error:
        field, message = wording_of_msgspec(str(error))
        items = [{"field": field, "message": message}]
        place = f"{field}: " if field else ""
        raise Invalid(f"{place}{message}.", code="validation_failed", extra={"errors": items}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable(body) from None
    sources = asked.can_publish_sources
    return grants.JoinRequest(
        room=asked.room,
        identity=asked.identity,
        name=asked.name,
        can_publish=asked.can_publish,
        can_subscribe=asked.can_subscribe,
        can_publish_data=asked.can_publish_data,
        can_publish_sources=None if sources is None else tuple(sources),
        ttl=asked.ttl,
        metadata=asked.metadata,
        attributes=asked.attributes,
        hidden=asked.hidden,
        audio_only=asked.audio_only,
        room_config=None if asked.room_config is None else _room_config(asked.room_config),
    )


def _room_config(asked: RoomConfigBody) -> grants.RoomConfig:
    given = {
        name: value for name, value in msgspec.structs.asdict(asked).items() if value is not UNSET and name != "agents"
    }
    agents = () if asked.agents is UNSET else asked.agents
    return grants.RoomConfig(**given, agents=tuple((agent.agent_name, agent.metadata) for agent in agents))


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


def route(prefix: str) -> HotRoute:
    """The route under `prefix`."""
    operation, schemas = _operation()
    return HotRoute(
        f"{prefix}/apps/{{app}}/tokens",
        create_token,
        method="POST",
        needed_scope=_needs.scope,
        operation=operation,
        schemas=schemas,
    )
