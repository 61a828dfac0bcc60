"""GStreamer's RTSP server, a process of Debian's Python.

As a program: `gst_rtsp.py USER PASSWORD PIPELINE PORT TRANSPORT`, which prints its port; an empty user is none. The
transport is `udp` or `any`.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

VIDEO = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 ! "
H264 = VIDEO + "x264enc tune=zerolatency key-int-max=25 bitrate=400 ! rtph264pay name=pay0 pt=96 config-interval=1"
H264_IN_SDP_ALONE = H264.replace("config-interval=1", "config-interval=0")
H265 = VIDEO + "x265enc tune=zerolatency key-int-max=25 bitrate=400 ! rtph265pay name=pay0 pt=96 config-interval=1"
MJPEG = VIDEO + "videoconvert ! video/x-raw,format=I420 ! jpegenc ! rtpjpegpay name=pay0 pt=26"
TONE = " audiotestsrc is-live=true freq=1000 ! audio/x-raw,rate={rate},channels=1 ! {encoder} ! {payloader} name=pay1"
MU_LAW = TONE.format(rate=8000, encoder="mulawenc", payloader="rtppcmupay")
OPUS = TONE.format(rate=48000, encoder="opusenc", payloader="rtpopuspay")


class RtspServer:
    """A server that runs."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, userinfo: str) -> None:
        self.process = process
        self.port = port
        self.url = f"rtsp://{userinfo}127.0.0.1:{port}/cam"


@asynccontextmanager
async def rtsp_server(
    pipeline: str,
    *,
    user: str = "",
    password: str = "",
    port: int = 0,
    userinfo: str | None = None,
    transport: Literal["any", "udp"] = "any",
) -> AsyncGenerator[RtspServer]:
    """Serve a pipeline."""
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/python3",
        str(Path(__file__)),
        user,
        password,
        pipeline,
        str(port),
        transport,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        bound = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield RtspServer(process, bound, (f"{user}:{password}@" if user else "") if userinfo is None else userinfo)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def main() -> None:
    gi: Any = importlib.import_module("gi")
    for name in ("Gst", "GstRtsp", "GstRtspServer"):
        gi.require_version(name, "1.0")
    names = ("GLib", "Gst", "GstRtsp", "GstRtspServer")
    modules: list[Any] = [importlib.import_module(f"gi.repository.{name}") for name in names]
    GLib, Gst, GstRtsp, GstRtspServer = modules  # noqa: N806
    user, password, pipeline, port, transport = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {pipeline} )")
    factory.set_shared(True)
    if transport == "udp":
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_digest(user, password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
