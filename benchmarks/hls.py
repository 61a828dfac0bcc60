"""HLS of an encoder's stream: what its viewers' requests cost, and how late its pictures are.

Beside it nginx serves the very bytes that Stagedoor serves, from files; and what the protocol itself asks for, such as
the length of a part, is the limit of delays.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import av
import psutil
from tests.support.ports import free_ports

from benchmarks.support.cores import LOAD, SERVER, on_core
from benchmarks.support.hls_player import Part, player
from benchmarks.support.hls_viewers import Spec, Watched
from benchmarks.support.load import Driven, drive, run_program
from benchmarks.support.nginx import find_nginx, nginx
from benchmarks.support.plan import Plan
from benchmarks.support.processes import cpu_seconds, ran_seconds, tree
from benchmarks.support.report import Line, median, number, say, spread
from benchmarks.support.stagedoor import Stagedoor, stagedoor

VIEWERS: Final = 1_000
_SETTINGS: Final = {"hlsMaxViewers": 2 * VIEWERS, "hlsIdle": "1h"}
_SEGMENT_SECONDS: Final = 2.0
_PUSH_SECONDS: Final = 600
_WINDOW: Final = 6
_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Kind:
    """What viewers ask for.

    Attributes:
        ours: Whole requests to Stagedoor.
        theirs: The request to nginx for the same bytes.
        bytes: Of the answer's body.
        count: How many requests are a round of a full run.
    """

    name: str
    ours: list[bytes]
    theirs: bytes
    bytes: int
    count: int


@dataclass(slots=True)
class _Rounds:
    ours: list[Driven] = field(default_factory=list[Driven])
    theirs: list[Driven] = field(default_factory=list[Driven])


def run(plan: Plan) -> list[Line]:
    """The figures."""
    (port,) = free_ports(1)
    with on_core(SERVER):
        starting = stagedoor(plan.folder / "stagedoor", STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}")
        with starting as product:
            product.patch("/apps/live", {"settings": _SETTINGS})
            return [
                *_serving(plan, product),
                *_watching(plan, product),
                *_first_pictures(plan, product),
                *_glass_to_glass(plan, product),
            ]


@contextmanager
def _pushing(product: Stagedoor, room: str) -> Generator[str]:
    """An encoder sends to a room; the link to its HLS."""
    ingress = product.post("/apps/live/ingress", {"inputType": "rtmp", "room": room})
    url = f"{ingress['url']}/{ingress['streamKey']}"
    with on_core(LOAD):
        encoder = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.support.clock_encoder", url, str(_PUSH_SECONDS)],
            stderr=subprocess.DEVNULL,
        )
    try:
        _wait(lambda: product.get(f"/apps/live/ingress/{ingress['ingressId']}")["state"]["status"] == "publishing")
        yield product.post(f"/apps/live/rooms/{room}/links", {"page": "hls"})["url"]
    finally:
        encoder.kill()
        encoder.wait()


def _wait(ready: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError("the room has no HLS")
        time.sleep(0.05)


# What requests cost


def _serving(plan: Plan, product: Stagedoor) -> list[Line]:
    """The encoder has gone when the load begins, and the CPU seconds are those of the process that answers: its media
    workers and LiveKit have no part in it."""
    program = find_nginx()
    if program is None:
        say("  requests: not measured (nginx is not installed)")
        return []
    folder = plan.folder / "files"
    folder.mkdir()
    with _pushing(product, "served") as link, player(link) as viewer:
        _wait(lambda: len(viewer.begin().segments) >= _WINDOW)
    kinds = _kinds(link, folder)
    rounds = {kind.name: _Rounds() for kind in kinds}
    process = [psutil.Process(product.product.pid)]
    with nginx(program, folder) as rival:
        workers = tree(rival.pid)
        for _ in range(plan.rounds):
            for kind in kinds:
                found = rounds[kind.name]
                found.ours.append(
                    _round(plan, "Stagedoor", product.port, kind.ours, lambda: cpu_seconds(process), kind)
                )
                found.theirs.append(
                    _round(plan, "nginx", rival.port, [kind.theirs], lambda: ran_seconds(workers), kind)
                )
    lines: list[Line] = []
    for kind in kinds:
        found = rounds[kind.name]
        ours, theirs = ([one.per_cpu_second for one in each] for each in (found.ours, found.theirs))
        say(f"  {kind.name}: Stagedoor {spread(ours)}, nginx {spread(theirs)} per CPU second")
        name = f"hls, {kind.name} of {number(kind.bytes / 1000)} kB: requests"
        lines.append(Line(name, median(ours), "/CPU s", "nginx, from files", median(theirs)))
    return lines


def _kinds(link: str, folder: Path) -> list[_Kind]:
    """What there is in the room, and the same bytes as files."""
    with player(link) as viewer:
        playlist = viewer.begin()
        playlist_url = urlsplit(viewer.video)
        media = {"segment": playlist.segments[-2].uri, "part": playlist.segments[-1].parts[0].uri}
        kinds: list[_Kind] = []
        for name, uri in media.items():
            body = viewer.get(urljoin(viewer.video, uri))
            (folder / f"{name}.mp4").write_bytes(body)
            path = urlsplit(urljoin(viewer.video, uri)).path
            kinds.append(_Kind(name, [_get(path)], _get(f"/{name}.mp4"), len(body), 20_000))
        plain = viewer.get(viewer.video)
        packed = viewer.get(viewer.video, gzip=True)
    (folder / "playlist.m3u8").write_bytes(plain)
    (folder / "playlist.m3u8.gz").write_bytes(packed)
    token = playlist_url.query.partition("&viewer=")[0]
    asks = [f"{playlist_url.path}?{token}&viewer=viewer{each}" for each in range(VIEWERS)]
    for name, zipped, body in (("playlist", False, plain), ("playlist with gzip", True, packed)):
        ours = [_get(ask, gzip=zipped) for ask in asks]
        kinds.append(_Kind(name, ours, _get("/playlist.m3u8", gzip=zipped), len(body), 30_000))
    return kinds


def _get(target: str, *, gzip: bool = False) -> bytes:
    encoding = "Accept-Encoding: gzip, deflate, br\r\n" if gzip else ""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{encoding}\r\n".encode()


def _round(
    plan: Plan, name: str, port: int, requests: Sequence[bytes], cpu: Callable[[], float], kind: _Kind
) -> Driven:
    driven = drive(port, requests, cpu, total=plan.scaled(kind.count))
    if set(driven.measured.statuses) != {"200"}:
        raise RuntimeError(f"{name} answered {driven.measured.statuses} to requests of a {kind.name}")
    say(
        f"  {kind.name}, {name}: {number(driven.rate)}/s, {number(driven.per_cpu_second)} per CPU second, "
        f"p99 {number(driven.measured.p99_ms)} ms, load generator busy {driven.measured.busy:.0%}"
    )
    return driven


def _watching(plan: Plan, product: Stagedoor) -> list[Line]:
    """A live room: each player asks with blocking reload, and all are answered at once when there is a part."""
    process = [psutil.Process(product.product.pid)]
    seconds = plan.scaled(30)
    rates, lines = list[float](), list[Line]()
    with _pushing(product, "watched") as link, player(link) as viewer:
        part = float(viewer.begin().part_target) * 1000
        video = viewer.video.partition("&viewer=")[0]
        alone = cpu_seconds(process)
        time.sleep(seconds)
        alone = cpu_seconds(process) - alone
        for players in (VIEWERS // 10, VIEWERS):
            spec = Spec(video, players, seconds)
            seen, spent = run_program("benchmarks.support.hls_viewers", spec, Watched, lambda: cpu_seconds(process))
            rates.append((seen.playlists + seen.parts) / max(spent - alone, 0.01))
            say(
                f"  {players} players with blocking reload: {number(seen.parts / seconds)} parts/s, "
                f"{number(rates[-1])} answers per CPU second, p50 {number(seen.p50_ms)} and p99 {number(seen.p99_ms)} "
                f"ms after the first player, load busy {seen.busy:.0%}"
            )
            name = f"hls, {players} players with blocking reload: p99 after the first"
            lines.append(Line(name, seen.p99_ms, "ms", "the target of parts", part))
    name = f"hls, {VIEWERS} players with blocking reload: answers"
    return [*lines, Line(name, rates[-1], "/CPU s", f"{VIEWERS // 10} players", rates[0])]


# How late pictures are


def _first_pictures(plan: Plan, product: Stagedoor) -> list[Line]:
    """From the first request of a room's playlist to the first picture, of a player that knows parts and of FFmpeg."""
    by_parts, by_segments = list[float](), list[float]()
    for round_ in range(plan.rounds):
        with _pushing(product, f"first-{round_}") as link, player(link) as viewer:
            # Where in a group of pictures the first request comes is different in each round.
            time.sleep(1.0 + round_ * 0.37)
            began = time.monotonic()
            viewer.first_picture()
            by_parts.append((time.monotonic() - began) * 1000)
        with _pushing(product, f"first-segments-{round_}") as link:
            time.sleep(1.0 + round_ * 0.37)
            began = time.monotonic()
            _first_of_ffmpeg(link)
            by_segments.append((time.monotonic() - began) * 1000)
        say(f"  first picture: {number(by_parts[-1])} ms by parts, {number(by_segments[-1])} ms by FFmpeg")
    limit = "the length of a segment"
    return [
        Line("hls, first request to first picture, by parts", median(by_parts), "ms", limit, _SEGMENT_SECONDS * 1000),
        Line("hls, first request to first picture, FFmpeg", median(by_segments), "ms", limit, _SEGMENT_SECONDS * 1000),
    ]


def _first_of_ffmpeg(link: str) -> None:
    source: Any
    with av.open(link, options={"http_persistent": "1"}) as source:
        next(source.decode(video=0))


def _glass_to_glass(plan: Plan, product: Stagedoor) -> list[Line]:
    with _pushing(product, "glass") as link, player(link) as viewer:
        playlist = viewer.begin()
        hold_back = float(playlist.control["PART-HOLD-BACK"]) * 1000
        parts = list(islice(viewer.parts(), plan.scaled(100)))
    part = median(one.duration for one in parts) * 1000
    oldest, newest = [one.oldest for one in parts], [one.newest for one in parts]
    say(f"  a part's last picture is {spread(newest)} ms old when it is decoded, its first one {spread(oldest)} ms")
    shown = _shown(parts, hold_back)
    say(f"  a player PART-HOLD-BACK behind: {number(shown.age)} ms, {shown.late} of {len(parts)} parts came late")
    return [
        Line("hls, a part's first picture is decoded after", median(oldest), "ms", "the length of a part", part),
        Line("hls, glass to glass, LL-HLS", shown.age, "ms", "PART-HOLD-BACK", hold_back),
    ]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a viewer has seen.

    Attributes:
        age: How old pictures are when they are shown, in milliseconds; the median.
        late: Parts that came after the time at which they were to be shown.
    """

    age: float
    late: int


def _shown(parts: Sequence[Part], hold_back: float) -> _Shown:
    """What a player shows that stays so many milliseconds behind where the playlist ended when the first part came."""
    first = parts[0]
    end = (first.begins + first.duration) * 1000
    offset = first.came + hold_back - end
    """What stands at `x` in the timeline is shown at `x + offset`."""
    ages = [one.begins * 1000 + offset - one.taken[0] for one in parts]
    return _Shown(median(ages), sum(one.came > one.begins * 1000 + offset for one in parts))
