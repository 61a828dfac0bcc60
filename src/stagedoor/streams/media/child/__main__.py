"""Forks a worker for each stream.

FFmpeg's muxer holds the interpreter's lock while it joins a room, which would hold up all streams of a process; a crash
in native code would end them; and what was imported before a fork is shared. So a stream has a process of its own, and
costs little more than a thread.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import traceback
from typing import Final

from av import logging as av_logging
from av.codec.context import CodecContext

from stagedoor.streams.media.child.worker import serve

_CONTROL_AND_INPUT: Final = 2
_MESSAGE_BYTES: Final = 16


def main() -> None:
    """Fork a worker for each message on standard input, until it ends."""
    for ignored in (signal.SIGTERM, signal.SIGINT):  # Stagedoor ends its workers by closing their sockets
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are not waited for
    av_logging.set_level(None)
    _warm_up()
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, _CONTROL_AND_INPUT)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            _work(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _work(descriptors: list[int]) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        with contextlib.suppress(ConnectionError):
            serve(sockets[0], sockets[1] if len(sockets) > 1 else None)
    except BaseException:  # noqa: BLE001 - the loop of the process that forked must not go on here
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # a thread that native code holds does not keep the process


def _warm_up() -> None:
    """Open once what every stream opens, so that its memory is shared."""
    for encoder in ("libx264", "libopus"):
        CodecContext.create(encoder, "w")
    for decoder in ("h264", "aac"):
        CodecContext.create(decoder, "r")


if __name__ == "__main__":
    main()
