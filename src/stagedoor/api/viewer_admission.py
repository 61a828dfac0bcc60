"""Admits a request to a page or to live frames: by the token in its URL, by an API key, or by the app's policy."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from stagedoor.access.admission import Admission
from stagedoor.access.links import Use, refusal
from stagedoor.api.authentication import by_secret, secret_in
from stagedoor.kernel.errors import NotFound
from stagedoor.outputs.frames.readmission import ReadApps
from stagedoor.services.services import Services
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_slug


async def admit(
    connection: HTTPConnection,
    services: Services,
    app: str,
    room: str,
    use: Use = "play",
    *,
    key: bool = True,
    apps: ReadApps | None = None,
) -> Admission:
    """Admit the caller to the room, to watch (`play`) or to take part (`meet`).

    Args:
        app: The app's slug.
        room: The room's short name or LiveKit name.
        use: What for. An API key admits to watching alone: who takes part needs an identity, thus a link.
        key: Whether a bearer in `Authorization` is taken for an API key.
        apps: Apps that need not be read again, to which the app is added.

    Raises:
        NotFound: The caller is not admitted, or there is no such app.
        Unauthenticated: The API key is not known.
        Forbidden: The API key lacks the scope `rooms:read`.
    """
    token = connection.query_params.get("token")
    secret = secret_in(connection.headers.get("authorization"))
    if key and use == "play" and secret is not None and token is None:
        return await _admit_key(services, secret, app, room)
    found = await _app(services, app, {} if apps is None else apps)
    admission = services.admission_control.admit(found, room, use, token)
    if admission.identity is not None and await services.issuer.is_banned(admission.livekit_room, admission.identity):
        raise refusal()
    return admission


async def _app(services: Services, slug: str, apps: ReadApps) -> App | None:
    if "\x00" in slug:
        return None
    if slug not in apps:
        apps[slug] = await services.database.read(lambda tx: app_by_slug(tx, slug))
    return apps[slug]


async def _admit_key(services: Services, secret: str, app: str, room: str) -> Admission:
    principal = await by_secret(services, secret)
    principal.require("rooms:read")
    if "\x00" in app:
        raise refusal()
    try:
        found = await services.directory.app(principal, app)
    except NotFound:
        raise refusal() from None
    return services.admission_control.admit_key(found, room, principal.expires_at)
