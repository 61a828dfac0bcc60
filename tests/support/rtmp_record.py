"""Records what real encoders send for `tests/sources/rtmp/corpus/`: `python -m tests.support.rtmp_record`."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from pathlib import Path
from typing import Final

from tests.support.rtmp_pushing import ffmpeg, gstreamer, pyav_push
from tests.support.rtmp_server import KEY, serving

CORPUS: Final = Path(__file__).parents[1] / "sources" / "rtmp" / "corpus"
SIZE: Final = "64x48"
SECONDS: Final = 0.4


def commands(url: str) -> dict[str, list[str]]:
    """Each recording's name, and the program that makes it."""
    small = ("-b:v", "60k", "-b:a", "16k", "-ac", "1")
    return {
        "ffmpeg-5.1-h264-aac": ffmpeg(url, SECONDS, "-bf", "0", *small, size=SIZE),
        "ffmpeg-5.1-h264-b-frames-aac": ffmpeg(url, SECONDS, "-bf", "2", *small, size=SIZE),
        "ffmpeg-8.1-hevc-aac": pyav_push(url, SECONDS, "hevc", "aac", SIZE),
        "ffmpeg-8.1-av1-opus": pyav_push(url, SECONDS, "av1", "libopus", SIZE),
        "gstreamer-1.22-rtmp2sink": gstreamer("rtmp2sink", url, SECONDS, SIZE),
        "librtmp-2.4-rtmpsink": gstreamer("rtmpsink", url, SECONDS, SIZE),
    }


async def record() -> None:
    CORPUS.mkdir(exist_ok=True)
    async with serving() as served:
        for name in commands(""):
            sent = bytearray()

            async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
                with contextlib.suppress(OSError):
                    while data := await reader.read(65_536):
                        kept += data
                        writer.write(data)
                        await writer.drain()
                    writer.write_eof()

            async def through(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray = sent
            ) -> None:
                back, there = await asyncio.open_connection("127.0.0.1", served.port)
                await asyncio.gather(copy(reader, there, kept), copy(back, writer, bytearray()))
                there.close()
                writer.close()

            proxy = await asyncio.start_server(through, "127.0.0.1", 0)
            url = f"rtmp://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/live/{KEY}"
            process = await asyncio.create_subprocess_exec(*commands(url)[name], stdin=subprocess.DEVNULL)
            await process.wait()
            proxy.close()
            (CORPUS / f"{name}.rtmp").write_bytes(sent)
            print(name, len(sent))


if __name__ == "__main__":
    asyncio.run(record())
