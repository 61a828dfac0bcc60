"""The cookie of a session: how it is set and read, and that requests of other sites' pages are refused."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from stagedoor.kernel.errors import Forbidden
from stagedoor.services.services import Services

_NAME: Final = "stagedoor_session"
_BROWSER: Final = "stagedoor_browser"
_PREFIX: Final = "__Host-"
"""Browsers take a cookie of this prefix only over https, for every path and from this very host: no other host of the
domain can plant one."""

_BROWSER_SECONDS: Final = 180 * 86_400
_LONGEST: Final = 200


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of this name."""
    value = next((value for found, value in scope["headers"] if found == name), None)
    return None if value is None else value.decode("latin-1")


def session_secret(services: Services, scope: Scope) -> str | None:
    """The secret of the session that the request has, by the name that its cookie has here."""
    return _cookie(scope, _named(services, scope, _NAME))


def known_browser(services: Services, scope: Scope) -> str | None:
    """What an earlier sign-in left, by which the browser is known."""
    return _cookie(scope, _named(services, scope, _BROWSER))


def session_cookie(scope: Scope) -> bytes | None:
    """The session's secret as it came, by whichever name: what one browser's requests have in common."""
    found = _cookie(scope, _NAME) or _cookie(scope, _PREFIX + _NAME)
    return None if found is None else found.encode()


def begin(services: Services, scope: Scope, response: Response, secret: str, browser: str | None) -> None:
    """Give the browser its session, and what makes it known."""
    _set(services, scope, response, _NAME, secret, services.settings.sign_in_max_age)
    if browser is not None:
        _set(services, scope, response, _BROWSER, browser, _BROWSER_SECONDS)


def end(services: Services, scope: Scope, response: Response) -> None:
    """Take the session from the browser, which stays known."""
    _set(services, scope, response, _NAME, "", 0)


def refuse_cross_site(services: Services, scope: Scope) -> None:
    """Raise `Forbidden` when a page of another site, or of another host of this one, has sent the request.

    Browsers say so in `Sec-Fetch-Site` since 2023, and in `Origin` before. A request with neither comes from no page.
    """
    site = header_of(scope, b"sec-fetch-site")
    if site is not None:
        if site in {"same-origin", "none"}:
            return
        raise _cross_site()
    origin = header_of(scope, b"origin")
    if origin is None:
        return
    public = urlsplit(services.public_url)
    if origin == f"{public.scheme}://{public.netloc}" or origin.partition("://")[2] == header_of(scope, b"host"):
        return
    raise _cross_site()


def _cross_site() -> Forbidden:
    return Forbidden("A page of another site may not send this request.", code="cross_site_request")


def _named(services: Services, scope: Scope, name: str) -> str:
    return _PREFIX + name if _is_secure(services, scope) else name


def _is_secure(services: Services, scope: Scope) -> bool:
    return scope.get("scheme") in {"https", "wss"} or services.public_url.startswith("https://")


def _set(services: Services, scope: Scope, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _named(services, scope, name),
        value,
        max_age=seconds,
        path="/",
        secure=_is_secure(services, scope),
        httponly=True,
        samesite="lax",
    )


def _cookie(scope: Scope, name: str) -> str | None:
    for found, value in scope["headers"]:
        if found == b"cookie":
            # Starlette's parser, because that of the library drops what stands behind a cookie that it does not like.
            cookie = cookie_parser(value.decode("latin-1")).get(name, "")
            if 0 < len(cookie) <= _LONGEST:
                return cookie
    return None
