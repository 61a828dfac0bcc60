"""A server that drops RTMP streams and prints its port: `rtmp` is Stagedoor's, `bytes` only reads."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import uvloop

from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.publishing import PublishRequest
from stagedoor.sources.rtmp.server import RtmpServer
from stagedoor.sources.rtmp.settings import RtmpSettings
from stagedoor.sources.rtmp.status import StreamStatus


class Dropped:
    """A stream that is dropped."""

    def __init__(self) -> None:
        self.ending: asyncio.Future[StreamStatus] = asyncio.get_running_loop().create_future()

    def write(self, tags: bytes) -> None:
        pass

    async def drained(self) -> None:
        pass

    def noticed(self, notice: Notice) -> None:
        pass

    def finished(self, reason: str, failure: str | None = None) -> None:
        pass


class Dropper:
    """Takes every stream."""

    async def publish(self, request: PublishRequest) -> Dropped:
        return Dropped()


class Bytes(asyncio.Protocol):
    """Drops what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(b"ready")

    def data_received(self, data: bytes) -> None:
        pass


async def main(kind: str) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    print(listening.getsockname()[1], flush=True)
    if kind == "rtmp":
        server = RtmpServer(Dropper(), RtmpSettings(rtmp_max_connects_per_second=1_000))
        server.listen(listening)
        await server.run()
    else:
        other = await asyncio.get_running_loop().create_server(Bytes, sock=listening)
        await other.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
