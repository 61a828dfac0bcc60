"""A backend that takes webhooks and answers each after so many seconds: `… PORT SECONDS`."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


def _main(port: int, seconds: float) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(seconds)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
