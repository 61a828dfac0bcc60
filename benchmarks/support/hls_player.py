"""A player of low-latency HLS that reads the clock in the pictures: blocking reload, part by part."""

from __future__ import annotations

import io
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urljoin, urlsplit

import av
from tests.support.hls_rules import Playlist, parse

from benchmarks.support.clock_picture import HEIGHT, read


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it came.

    Attributes:
        begins: Where its first picture stands in the timeline, in seconds.
        duration: In seconds, as the playlist says.
        taken: When each picture was made, in milliseconds of the steady clock.
        came: When all of them were decoded.
    """

    begins: float
    duration: float
    taken: list[int]
    came: float

    @property
    def oldest(self) -> float:
        """The age of its first picture when it came, in milliseconds."""
        return self.came - self.taken[0]

    @property
    def newest(self) -> float:
        """The age of its last picture when it came, in milliseconds."""
        return self.came - self.taken[-1]


class Player:
    """Follows one room.

    Args:
        http: Its connection.
        url: Of the multivariant playlist.

    Attributes:
        video: The address of the media playlist, once it has begun.
    """

    def __init__(self, http: HTTPConnection, url: str) -> None:
        self._http = http
        self._url = url
        self.video = ""
        self._decoder: Any = None
        self._map = b""

    def begin(self) -> Playlist:
        """Ask for both playlists and the initialization segment."""
        text = self.get(self._url).decode()
        self.video = urljoin(self._url, text.splitlines()[-1])
        playlist = self._playlist()
        self._map = self.get(urljoin(self.video, playlist.open.map or playlist.segments[-1].map or ""))
        return playlist

    def first_picture(self) -> None:
        """Return when a picture is decoded: of the newest part that a decoder can begin in."""
        playlist = self.begin()
        at = max((at for at, part in enumerate(playlist.parts) if part.independent), default=None)
        uri = playlist.segments[-1].uri if at is None else playlist.parts[at].uri
        if not self._decoded(self.get(urljoin(self.video, uri))):
            raise RuntimeError("a part that a decoder can begin in has no picture")

    def parts(self) -> Generator[Part]:
        """Parts as they come, from the next segment on."""
        playlist = self.begin()
        number, index, at = playlist.open.number + 1, 0, 0.0
        while True:
            playlist = self._playlist(f"&_HLS_msn={number}&_HLS_part={index}")
            segments = {one.number: one for one in (*playlist.segments, playlist.open)}
            segment = segments[number]
            for part in segment.parts[index:]:
                taken = self._decoded(self.get(urljoin(self.video, part.uri)))
                if taken:
                    yield Part(at, part.duration, taken, time.monotonic_ns() / 1_000_000)
                at += part.duration
                index += 1
            if segment is not playlist.open:
                number, index = number + 1, 0

    def get(self, url: str, *, gzip: bool = False) -> bytes:
        """The body of an answer, packed as it came."""
        asked = urlsplit(url)
        self._http.request("GET", f"{asked.path}?{asked.query}", headers={"Accept-Encoding": "gzip"} if gzip else {})
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{asked.path} was answered {answer.status}: {body[:500].decode(errors='replace')}")
        return body

    def _playlist(self, directives: str = "") -> Playlist:
        return parse(self.get(self.video + directives).decode())

    def _decoded(self, media: bytes) -> list[int]:
        """The times in a part's pictures."""
        times: list[int] = []
        source: Any
        with av.open(io.BytesIO(self._map + media)) as source:
            stream = source.streams.video[0]
            if self._decoder is None:
                decoder: Any = av.CodecContext.create("h264", "r")
                decoder.extradata, decoder.thread_count = stream.codec_context.extradata, 1
                self._decoder = decoder
            for packet in source.demux(stream):
                if packet.size:
                    frames = self._decoder.decode(packet)
                    times += [read(frame.to_ndarray(format="gray")[:HEIGHT]) for frame in frames]
        return times


@contextmanager
def player(url: str) -> Generator[Player]:
    """A player with a connection of its own."""
    place = urlsplit(url)
    http = HTTPConnection(place.hostname or "", place.port or 80, timeout=30)
    try:
        yield Player(http, url)
    finally:
        http.close()
