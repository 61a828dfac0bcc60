"""The HTTP application: every route, in one list, and the middleware around them."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Final

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import BaseRoute

from stagedoor import __version__
from stagedoor.api import livekit_webhook, openapi, problems
from stagedoor.api.authentication import public
from stagedoor.api.front import Front, FrontedApp, FrontRoute
from stagedoor.api.hls import routes as hls
from stagedoor.api.idempotency.middleware import IdempotencyMiddleware
from stagedoor.api.live import frame_post
from stagedoor.api.live import routes as live
from stagedoor.api.livekit_webhook import WebhookEndpoint
from stagedoor.api.middleware import BodyLimitMiddleware, MetricsMiddleware, SecurityHeadersMiddleware
from stagedoor.api.prefix import PREFIX
from stagedoor.api.routes import (
    announced_sessions,
    apps,
    audit,
    auth,
    cameras,
    events,
    health,
    inbox,
    ingress,
    invitations,
    jobs,
    joining,
    keys,
    me,
    members,
    organisations,
    own_rooms,
    own_tokens,
    participants,
    room_access,
    rooms,
    sessions,
    tokens,
    transcripts,
    usage,
    users,
    webhook_deliveries,
    webhooks,
)
from stagedoor.api.slashes import EncodedSlashMiddleware
from stagedoor.api.tracing import TracingMiddleware
from stagedoor.api.whip import routes as whip
from stagedoor.api.whip.middleware import WhipCorsMiddleware
from stagedoor.kernel import tracing
from stagedoor.kernel.encodings import accepts
from stagedoor.services.services import Services

_ROUTERS: Final[tuple[APIRouter, ...]] = (
    auth.router,
    me.router,
    own_tokens.router,
    own_rooms.router,
    users.router,
    members.router,
    invitations.router,
    organisations.router,
    keys.router,
    apps.router,
    rooms.router,
    participants.router,
    joining.router,
    room_access.router,
    announced_sessions.router,
    sessions.router,
    transcripts.router,
    cameras.router,
    ingress.router,
    events.router,
    inbox.router,
    jobs.router,
    webhooks.router,
    webhook_deliveries.router,
    usage.router,
    audit.router,
)


def build(services: Services, pages: list[BaseRoute]) -> FastAPI:
    """The application.

    Args:
        parts: What routes call.
        pages: The routes of the pages and their files.
    """
    app = FrontedApp(
        title="Stagedoor",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # FastAPI's own would wake up beside ours when a provider is set from outside, and it reports what callers sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    # A redirect would say what no operation documents, and clients drop the key when they follow it.
    app.router.redirect_slashes = False
    app.state.services = services
    problems.install(app)
    settings = services.settings
    endpoint = WebhookEndpoint(services.receiver, settings.livekit_webhook_max_bytes)
    hooks = livekit_webhook.routes(settings.livekit_webhook_path, endpoint)
    fronted = [*hooks, tokens.route(PREFIX, services)]
    watched = hls.routes(services)
    app.front = Front([*fronted, *(route for route in watched if isinstance(route, FrontRoute))])
    if not tracing.enabled():  # its spans are made around ASGI's messages
        app.direct = endpoint.direct(hooks)
    app.router.routes.extend(fronted)
    app.router.routes.extend(live.routes())
    app.router.routes.extend(whip.routes())
    app.router.routes.extend(watched)
    # Not include_router, which nests: a flat list is what the access test and the metrics walk.
    for router in (*_ROUTERS, health.router(""), health.router(PREFIX)):
        app.router.routes.extend(router.routes)
    app.add_api_route(
        f"{PREFIX}/openapi.json",
        _document,
        methods=["GET"],
        include_in_schema=False,
        openapi_extra=public("the contract is no secret"),
    )
    app.router.routes.extend(pages)
    openapi.install(app, PREFIX)
    app.add_middleware(IdempotencyMiddleware, services=services, prefix=f"{PREFIX}/")
    app.add_middleware(
        BodyLimitMiddleware,
        limit=settings.api_max_body_bytes,
        exempt=frozenset([*(route.path for route in hooks), frame_post.PATH]),
    )
    app.add_middleware(WhipCorsMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(MetricsMiddleware)
    app.add_middleware(EncodedSlashMiddleware)
    if tracing.enabled():
        app.add_middleware(TracingMiddleware)
    return app


async def _document(request: Request) -> Response:
    """The OpenAPI document."""
    plain, packed = _encoded(request.app)
    if accepts(request.headers.get("accept-encoding", ""), "gzip"):
        return Response(
            packed, media_type="application/json", headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        )
    return Response(plain, media_type="application/json", headers={"Vary": "Accept-Encoding"})


@lru_cache(maxsize=1)
def _encoded(app: FastAPI) -> tuple[bytes, bytes]:
    plain = msgspec.json.encode(app.openapi())
    return plain, gzip.compress(plain)
