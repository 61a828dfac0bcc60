"""Parses the parameters of live frames, admits cameras, and admits viewers again while they watch."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from stagedoor.api.authentication import secret_in
from stagedoor.api.viewer_admission import admit
from stagedoor.kernel.errors import Invalid, Unauthenticated
from stagedoor.outputs.frames.readmission import Readmission
from stagedoor.services.services import Services
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.live import refuse_another
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.streams.scaling import NARROWEST, WIDEST

LONGEST_WAIT: Final = 30.0


def readmission(connection: HTTPConnection, services: Services, app: str, room: str) -> Readmission:
    """How a viewer that was admitted is admitted again while it watches."""
    shown = connection.query_params.get("token"), connection.headers.get("authorization")
    return Readmission((app, room, *shown), lambda apps: admit(connection, services, app, room, apps=apps))


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
