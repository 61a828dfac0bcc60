"""A browser's side of signing in: cookies are kept, and sent as a page of the product would send them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

PASSWORD = "correct horse battery"


class BrowserSession:
    """One browser.

    Args:
        http: With a jar of its own.
        url: Of the product.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.set_cookies: list[str] = []

    async def __call__(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None, **headers: str
    ) -> Any:
        """The decoded answer; the status is `expect`, or that of a success."""
        status, answer = await self.raw(method, path, body, **headers)
        assert status == expect if expect else status < 400, (status, answer)
        return answer

    async def raw(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded answer."""
        sent = {"Sec-Fetch-Site": "same-origin"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, f"{self.url}/api/v1{path}", json=body, headers=sent) as answer:
            content = await answer.read()
            self.set_cookies = answer.headers.getall("Set-Cookie", [])
            return answer.status, json.loads(content) if content else None

    def cookies(self) -> dict[str, str]:
        """Those that it has, by name."""
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}


@asynccontextmanager
async def new_browser(url: str) -> AsyncGenerator[BrowserSession]:
    """A browser that has been nowhere."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield BrowserSession(http, url)


def secret_of(link: str) -> str:
    """What stands behind the # of an account link."""
    return link.partition("#")[2]


async def use_link(browser: BrowserSession, link: str, password: str = PASSWORD, **fields: str) -> Any:
    """Set the password with an account link; the user."""
    body = {"secret": secret_of(link), "password": password, **fields}
    return (await browser("POST", "/auth/links/use", body))["data"]["user"]
