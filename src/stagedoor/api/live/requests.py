"""Admits the callers of live frames, and parses their parameters."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from stagedoor.access.admission import Admission, refusal
from stagedoor.api.access import secret_in
from stagedoor.api.services import Services
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from stagedoor.outputs.frames.readmission import Readmission
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.live import refuse_another
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.streams.scaling import NARROWEST, WIDEST
from stagedoor.tenancy.store import app_by_slug

LONGEST_WAIT: Final = 30.0


async def viewer(connection: HTTPConnection, services: Services, app: str, room: str) -> Admission:
    """Admit a viewer of a room's frames: by the token in the URL, by an API key, or by the app's policy.

    Raises:
        NotFound: The viewer is not admitted, or there is no such app.
        Unauthenticated: The API key is not known.
        Forbidden: The API key lacks the scope `rooms:read`.
    """
    secret = secret_in(connection.headers.get("authorization"))
    if secret is not None and "token" not in connection.query_params:
        return await _viewer_with_key(services, secret, app, room)
    found = None if "\x00" in app else await services.database.read(lambda tx: app_by_slug(tx, app))
    admission = services.admission_control.admit(found, room, "play", connection.query_params.get("token"))
    if admission.identity is not None:
        try:
            await services.bans.refuse_banned(admission.livekit_room, admission.identity)
        except Conflict:
            raise refusal() from None
    return admission


def readmission(connection: HTTPConnection, services: Services, app: str, room: str) -> Readmission:
    """How a viewer that was admitted is admitted again while it watches."""
    shown = connection.query_params.get("token"), connection.headers.get("authorization")
    return Readmission((app, room, *shown), lambda: viewer(connection, services, app, room))


async def _viewer_with_key(services: Services, secret: str, app: str, room: str) -> Admission:
    principal = await services.authenticator.authenticate(secret)
    principal.require("rooms:read")
    if "\x00" in app:
        raise refusal()
    try:
        found = await services.directory.app(principal, app)
    except NotFound:
        raise refusal() from None
    return services.admission_control.admit_key(found, room)


async def device(connection: HTTPConnection, services: Services) -> AuthenticatedCamera:
    """Admit a camera.

    Raises:
        Problem: The device may not send.
    """
    app, room = connection.query_params.get("app", ""), connection.query_params.get("room", "")
    key = secret_in(connection.headers.get("authorization"))
    in_query = key is None and "key" in connection.query_params
    if in_query:
        key = connection.query_params["key"]
    address = connection.client.host if connection.client else ""
    admitted = await services.camera_authenticator.admit(app, room, key, address)
    if in_query and not admitted.app.settings.of(CameraSettings).query_key:
        raise Unauthenticated(
            "Send the key in a header, Authorization: Bearer wsk_…; in the URL it ends up in logs, and this app does"
            " not take it there (its setting cameraQueryKey).",
            code="key_in_query",
        )
    room_name = admitted.camera.livekit_room
    for sending in (await services.other_nodes.senders([room_name])).values():
        refuse_another(admitted, sending)
    return admitted


def wanted_width(connection: HTTPConnection) -> int | None:
    """How wide frames should be, in pixels."""
    value = _number(connection, "width", NARROWEST, WIDEST)
    return None if value is None else int(value)


def wanted_interval(connection: HTTPConnection) -> float:
    """Seconds between two frames at least; 0 when every frame is wanted."""
    value = _number(connection, "fps", 0.1, 120)
    return 0.0 if value is None else 1 / value


def seconds(connection: HTTPConnection, name: str, most: float) -> float | None:
    """A number of seconds in the query."""
    return _number(connection, name, 0, most)


def _number(connection: HTTPConnection, name: str, least: float, most: float) -> float | None:
    text = connection.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise Invalid(f"{name} is a number from {least:g} to {most:g}.", code="validation_failed")
    return value
