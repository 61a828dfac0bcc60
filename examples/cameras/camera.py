"""A camera of Stagedoor in Python. Needs: pip install websockets, and FFmpeg for anything but a folder.

python camera.py pictures/                        the JPEG files of a folder, again and again
python camera.py -f v4l2 -i /dev/video0           whatever FFmpeg can read: a webcam
python camera.py -rtsp_transport tcp -i rtsp://…  or an IP camera
"""

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

URL = os.environ["CAMERA_URL"]  # wsUrl of the camera: wss://stagedoor.example.com/ingest/ws?app=live&room=live-door
KEY = os.environ["CAMERA_KEY"]  # its streamKey: wsk_…

PAUSES = {401: 600, 403: 600, 404: 600, 4401: 600, 409: 60, 429: 60, 4409: 60}
"""Seconds to stay away at least, by HTTP status or close code: an operator has to act first."""


def split(stream: BufferedReader) -> Iterator[bytes]:
    """The pictures of an MJPEG stream: segments by their lengths, then everything up to the end-of-image marker."""
    data = b""
    while chunk := stream.read1(65536):
        data += chunk
        while (end := end_of_picture(data)) is not None:
            yield data[:end]
            data = data[end:]


def end_of_picture(data: bytes) -> int | None:
    at = 2
    while at + 4 <= len(data):
        marker, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        at += 2 + length
        if marker == 0xDA:  # the picture's data follows; in it an FF is never followed by D9
            end = data.find(b"\xff\xd9", at)
            return None if end < 0 else end + 2
    return None


def pictures(arguments: list[str], fps: float) -> Iterator[bytes]:
    """One after the other, no faster than `fps`."""
    if len(arguments) == 1:
        for file in itertools.cycle(sorted(Path(arguments[0]).glob("*.jp*g"))):
            yield file.read_bytes()
            time.sleep(1 / fps)
        return
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", *arguments]
    with subprocess.Popen(
        [*command, "-an", "-fpsmax", str(fps), "-q:v", "5", "-f", "mjpeg", "pipe:1"], stdout=subprocess.PIPE
    ) as made:
        try:
            yield from split(made.stdout)
        finally:
            made.kill()


def send(arguments: list[str]) -> None:
    """One connection, until it ends."""
    with connect(URL, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
        limits = json.loads(socket.recv())
        print(f"sending to {limits['room']}, at most {limits['maxFps']} frames a second", flush=True)
        for picture in pictures(arguments, limits["maxFps"]):
            if len(picture) <= limits["maxFrameBytes"]:
                socket.send(picture)
            else:
                print(f"left out a picture of {len(picture)} bytes: too large", flush=True)


def main() -> None:
    failures = 0
    while True:
        began, least = time.monotonic(), 0
        try:
            send(sys.argv[1:])
            why = "the source ended"
        except InvalidStatus as refusal:
            answer = refusal.response
            least = max(PAUSES.get(answer.status_code, 0), int(answer.headers.get("Retry-After", "0")))
            why = f"refused with {answer.status_code}"
        except ConnectionClosed as end:
            least = PAUSES.get(end.rcvd.code, 0) if end.rcvd else 0
            why = f"closed with {end.rcvd.code}" if end.rcvd else "lost"
        except (OSError, InvalidHandshake, TimeoutError) as error:
            why = str(error)
        failures = 0 if time.monotonic() - began > 60 else failures + 1
        wait = random.uniform(0.5, 1) * min(60, 2**failures) + least * random.uniform(1, 1.5)
        print(f"{why}; again in {wait:.0f} s", flush=True)
        time.sleep(wait)


if __name__ == "__main__":
    main()
