"""A bridge as LiveKit's examples would have it: `… CODEC`, with the orders and frames of Stagedoor's.

Each JPEG is decoded to RGB and given to the SDK's `VideoSource`, which encodes it.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec
import simplejpeg
from livekit import rtc

from stagedoor.outputs.webrtc.protocol import PREFIX_BYTES, Ack, Joined, Order, Published, Report


def _send(report: Report) -> None:
    print(msgspec.json.encode(report).decode(), flush=True)


async def _main(codec: str) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def message() -> bytes:
        length = int.from_bytes(await reader.readexactly(PREFIX_BYTES), "big")
        return await reader.readexactly(length)

    order = msgspec.json.decode(await message(), type=Order)
    room = rtc.Room()
    await room.connect(order.url, order.token, rtc.RoomOptions(auto_subscribe=False))
    _send(Joined(await room.sid))
    source: rtc.VideoSource | None = None
    try:
        while True:
            pixels = simplejpeg.decode_jpeg(await message(), "RGB")
            height, width = pixels.shape[:2]
            if source is None:
                source = rtc.VideoSource(width, height)
                track = rtc.LocalVideoTrack.create_video_track("camera", source)
                options = rtc.TrackPublishOptions(
                    source=rtc.TrackSource.SOURCE_CAMERA, video_codec=rtc.VideoCodec.Value(codec), simulcast=False
                )
                published = await room.local_participant.publish_track(track, options)
                _send(Published(published.sid))
            source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.RGB24, pixels.data))
            _send(Ack("published"))
    except asyncio.IncompleteReadError:
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
    os._exit(0)
