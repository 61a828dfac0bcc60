"""How a route gets the services that it calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from stagedoor.services.services import Services


def services_of(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    state: Any = connection.app.state
    found: Services = state.services
    return found


ServicesDep = Annotated[Services, Depends(services_of)]
