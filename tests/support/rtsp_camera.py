"""A scripted RTSP camera: what it says of itself, how it answers and what its packets look like is the test's."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import struct
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from stagedoor.streams.media.child.h264 import nal_units

FPS: Final = 25
_PAYLOAD_BYTES: Final = 1200
_IDR, _SPS, _PPS = 5, 7, 8
_NTP_EPOCH: Final = 2_208_988_800

Sound = Literal["none", "pcmu", "pcma", "aac", "opus"]
SOUNDS: Final[dict[Sound, tuple[int, int, int, str]]] = {
    "pcmu": (0, 8_000, 160, "PCMU/8000"),
    "pcma": (8, 8_000, 160, "PCMA/8000"),
    "aac": (97, 48_000, 1_024, "mpeg4-generic/48000/2"),
    "opus": (98, 48_000, 960, "opus/48000/2"),
}
"""Payload type, clock, samples of a packet, and the name in the SDP."""
_AAC_FORMAT: Final = "streamtype=5;mode=AAC-hbr;config=1190;sizelength=13;indexlength=3;indexdeltalength=3"


@dataclass(frozen=True)
class Clip:
    """H.264 that is sent over and over: one group of pictures."""

    sps: bytes
    pps: bytes
    pictures: list[list[bytes]]


def clip(width: int = 160, height: int = 120, *, pictures: int = FPS, bit_rate: int = 400_000) -> Clip:
    """Encode a moving picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.bit_rate = width, height, "yuv420p", bit_rate
    encoder.framerate, encoder.gop_size = FPS, pictures  # pyright: ignore[reportAttributeAccessIssue]
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "scenecut=0"}
    found: list[list[bytes]] = []
    for number in range(pictures):
        image = np.full((height, width, 3), number * 8 % 256, np.uint8)
        image[:, number * 4 % width :] = 200
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = number
        found += [nal_units(bytes(packet)) for packet in encoder.encode(frame)]
    found += [nal_units(bytes(packet)) for packet in encoder.encode(None)]
    every = [unit for units in found for unit in units]
    sps, pps = (next(unit for unit in every if unit[0] & 0x1F == kind) for kind in (_SPS, _PPS))
    return Clip(sps, pps, [[unit for unit in units if unit[0] & 0x1F <= _IDR] for units in found])


def tone(kind: Sound) -> list[bytes]:
    """Packets of sound, which are sent over and over."""
    _, rate, samples, _ = SOUNDS[kind]
    if kind in {"pcmu", "pcma"}:
        return [bytes((0x20, 0xA0)) * (samples // 2)]
    encoder = av.CodecContext.create("libopus" if kind == "opus" else "aac", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout = rate, "stereo"
    encoder.format = "s16" if kind == "opus" else "fltp"
    wave = np.sin(np.arange(samples) * 2 * np.pi * 15 / samples) * 0.5
    found: list[bytes] = []
    for number in range(20):
        both = np.stack([wave, wave]).astype(np.float32)
        data = (both.T.reshape(1, -1) * 32_767).astype(np.int16) if kind == "opus" else both
        frame = av.AudioFrame.from_ndarray(data, format=encoder.format.name, layout="stereo")
        frame.sample_rate, frame.pts = rate, number * samples
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found if kind == "opus" else [struct.pack("!HH", 16, len(one) << 3) + one for one in found]


@dataclass
class Script:
    """How the camera behaves.

    Attributes:
        format: The parameters of the video in the SDP; made of the clip when it is none.
        in_band: Whether parameter sets are sent before key frames.
        sdp: Changes the SDP.
        answers: A status for a method, or none for no answer at all.
        session: The header of the answers to SETUP.
        silent_after: The camera sends nothing more when for so many seconds it got no request that `renews`.
        later: From this picture on, another clip is sent.
        stamp: The video's time stamp, in ticks of 90 kHz, by the number of the picture.
        sound_speed: How fast the sound's clock runs.
        sound_pauses: The seconds in which no sound is sent.
        deliver: The RTP packets of a picture as they are sent.
        reports: Whether RTCP sender reports are sent, with the true time.
        udp: Whether it sends by UDP.
        channels: The first interleaved channel of each track, whatever the client asks for.
        noise: What is sent between packets, on the same connection.
        pictures: So many, and then `ending`.
        tls: What makes it an RTSPS camera.
    """

    clip: Clip
    sound: Sound = "none"
    format: str | None = None
    in_band: bool = True
    sdp: Callable[[str], str] = lambda text: text
    answers: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    session: str = "17"
    silent_after: float | None = None
    renews: frozenset[str] = frozenset({"OPTIONS", "GET_PARAMETER", "SET_PARAMETER"})
    stamp: Callable[[int], int] = lambda number: number * 90_000 // FPS
    later: tuple[int, Clip] | None = None
    sound_speed: float = 1.0
    sound_pauses: tuple[tuple[float, float], ...] = ()
    deliver: Callable[[int, list[bytes]], Iterable[bytes]] = lambda _, packets: packets
    marker: bool = True
    reports: bool = False
    udp: bool = False
    channels: tuple[int, int] | None = None
    noise: bytes = b""
    pictures: int | None = None
    ending: Literal["close", "teardown", "stall"] = "close"
    tls: ssl.SSLContext | None = None


class Camera:
    """A camera that runs.

    Attributes:
        requests: Methods and URLs, as they came.
        sessions: How often a client played.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[str, str]] = []
        self.sessions = 0
        self.sound = [] if script.sound == "none" else tone(script.sound)
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"rtsp{'s' if self.script.tls else ''}://127.0.0.1:{self.port}/cam"

    def description(self) -> str:
        """Its SDP."""
        script = self.script
        sets = ",".join(base64.b64encode(one).decode() for one in (script.clip.sps, script.clip.pps))
        form = f"packetization-mode=1;sprop-parameter-sets={sets}" if script.format is None else script.format
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=cam", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
        lines += ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", *([f"a=fmtp:96 {form}"] if form else [])]
        lines += ["a=control:track0"]
        if script.sound != "none":
            kind, _, _, name = SOUNDS[script.sound]
            lines += [f"m=audio 0 RTP/AVP {kind}", f"a=rtpmap:{kind} {name}", "a=control:track1"]
            lines += [f"a=fmtp:{kind} {_AAC_FORMAT}"] if script.sound == "aac" else []
        return script.sdp("\r\n".join([*lines, ""]))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        client = _Client(self, reader, writer)
        try:
            await client.run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            client.end()


@asynccontextmanager
async def camera(script: Script, port: int = 0) -> AsyncGenerator[Camera]:
    """A camera on a port."""
    made = Camera(script)
    server = await asyncio.start_server(made.serve, "127.0.0.1", port, ssl=script.tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


class _Client:
    def __init__(self, camera: Camera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.camera, self.script = camera, camera.script
        self.reader, self.writer = reader, writer
        self.renewed = time.monotonic()
        self.places: dict[int, int | tuple[asyncio.DatagramTransport, tuple[str, int]]] = {}
        self.playing: asyncio.Task[None] | None = None
        self.sequence = [0, 0]

    async def run(self) -> None:
        while True:
            first = await self.reader.readexactly(1)
            if first == b"$":
                head = await self.reader.readexactly(3)
                await self.reader.readexactly(int.from_bytes(head[1:]))
                continue
            text = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
            if not text.startswith("RTSP/"):
                await self.answer(text)

    def end(self) -> None:
        if self.playing is not None:
            self.playing.cancel()
        for place in self.places.values():
            if not isinstance(place, int):
                place[0].close()
        self.writer.close()

    async def answer(self, text: str) -> None:
        method, url, _ = text.split("\r\n")[0].split(" ")
        headers = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if ": " in line)
        self.camera.requests.append((method, url))
        if method in self.script.renews:
            self.renewed = time.monotonic()
        status = self.script.answers.get(method, 200)
        if status is None:
            return
        more, body = {"CSeq": headers["CSeq"], "Session": self.script.session}, ""
        if method == "OPTIONS":
            more["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
        elif method == "DESCRIBE":
            body = self.camera.description()
            more |= {"Content-Type": "application/sdp", "Content-Length": str(len(body.encode()))}
            more |= self.script.headers
        elif method == "SETUP" and status == 200:
            transport = await self.set_up(int(url.rpartition("track")[2]), headers["Transport"])
            status, more["Transport"] = (461, "") if transport is None else (200, transport)
        lines = [f"RTSP/1.0 {status} {'OK' if status == 200 else 'No'}", *(f"{k}: {v}" for k, v in more.items() if v)]
        self.writer.write(("\r\n".join([*lines, "", ""]) + body).encode())
        await self.writer.drain()
        if method == "PLAY" and status == 200:
            self.camera.sessions += 1
            self.playing = asyncio.create_task(self.play())
        elif method == "TEARDOWN":
            raise ConnectionError

    async def set_up(self, track: int, wanted: str) -> str | None:
        if "TCP" in wanted:
            if self.script.udp:
                return None
            first = track * 2 if self.script.channels is None else self.script.channels[track]
            self.places[track] = first
            return f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
        if not self.script.udp:
            return None
        port = int(wanted.partition("client_port=")[2].partition("-")[0])
        loop = asyncio.get_running_loop()
        made, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        self.places[track] = made, ("127.0.0.1", port)
        own = made.get_extra_info("sockname")[1]
        return f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={own}-{own + 1}"

    def send(self, track: int, packet: bytes, *, control: bool = False) -> None:
        place = self.places[track]
        if isinstance(place, int):
            self.writer.write(struct.pack("!cBH", b"$", place + control, len(packet)) + packet + self.script.noise)
        else:
            transport, (host, port) = place
            transport.sendto(packet, (host, port + control))

    def rtp(self, track: int, kind: int, stamp: int, payload: bytes, *, marker: bool) -> bytes:
        self.sequence[track] += 1
        head = struct.pack(
            "!BBHII", 0x80, kind | marker << 7, self.sequence[track] & 0xFFFF, stamp & 0xFFFF_FFFF, 77 + track
        )
        return head + payload

    async def play(self) -> None:
        began, pictures, sounds, reported = time.monotonic(), 0, 0, 0.0
        self.renewed = began
        with contextlib.suppress(ConnectionError):
            while self.script.pictures is None or pictures < self.script.pictures:
                await asyncio.sleep(max(0.0, began + pictures / FPS - time.monotonic()))
                now = time.monotonic()
                if self.script.silent_after is not None and now - self.renewed > self.script.silent_after:
                    return
                if 0 in self.places:
                    self.send_picture(pictures)
                pictures += 1
                while 1 in self.places and sounds < self.sounds_in(now - began):
                    self.send_sound(sounds)
                    sounds += 1
                if self.script.reports and now - reported > 1:
                    reported = now
                    self.send_reports(pictures - 1, now - began)
                await self.writer.drain()
        await self.stop()

    async def stop(self) -> None:
        if self.script.ending == "teardown":
            self.writer.write(b"TEARDOWN rtsp://127.0.0.1/cam RTSP/1.0\r\nCSeq: 1\r\nSession: 17\r\n\r\n")
            await self.writer.drain()
        elif self.script.ending == "close":
            self.writer.close()

    def sounds_in(self, seconds: float) -> int:
        _, rate, samples, _ = SOUNDS[self.script.sound]
        return int(seconds * self.script.sound_speed * rate / samples)

    def send_picture(self, number: int) -> None:
        clip, later, within = self.script.clip, self.script.later, number
        if later is not None and number >= later[0]:
            clip, within = later[1], number - later[0]
        units = clip.pictures[within % len(clip.pictures)]
        if self.script.in_band and units[-1][0] & 0x1F == _IDR:
            units = [clip.sps, clip.pps, *units]
        payloads = [part for unit in units for part in _fragments(unit)]
        stamp, last = self.script.stamp(number), len(payloads) - 1
        packets = [
            self.rtp(0, 96, stamp, one, marker=self.script.marker and place == last)
            for place, one in enumerate(payloads)
        ]
        for packet in self.script.deliver(number, packets):
            self.send(0, packet)

    def send_sound(self, number: int) -> None:
        kind, rate, samples, _ = SOUNDS[self.script.sound]
        at = number * samples / rate
        if not any(begin <= at < end for begin, end in self.script.sound_pauses):
            data = self.camera.sound[number % len(self.camera.sound)]
            self.send(1, self.rtp(1, kind, number * samples, data, marker=True))

    def send_reports(self, picture: int, seconds: float) -> None:
        stamps = [self.script.stamp(picture)]
        if 1 in self.places:
            stamps.append(int(seconds * self.script.sound_speed * SOUNDS[self.script.sound][1]))
        ntp = int((time.time() + _NTP_EPOCH) * (1 << 32))
        for track, stamp in enumerate(stamps):
            report = struct.pack("!BBHIQIII", 0x80, 200, 6, 77 + track, ntp, stamp & 0xFFFF_FFFF, 0, 0)
            self.send(track, report, control=True)


def _fragments(unit: bytes) -> list[bytes]:
    """RTP payloads of a NAL unit: itself, or fragments."""
    if len(unit) <= _PAYLOAD_BYTES:
        return [unit]
    parts = [unit[at : at + _PAYLOAD_BYTES] for at in range(1, len(unit), _PAYLOAD_BYTES)]
    indicator, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
    last = len(parts) - 1
    return [bytes((indicator, kind | (n == 0) << 7 | (n == last) << 6)) + part for n, part in enumerate(parts)]
