"""The rules of RFC 8216bis over a media playlist, and over two that follow each other. Knows nothing of the product."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Part:
    uri: str
    duration: float
    independent: bool


@dataclass
class Segment:
    number: int
    discontinuity: int
    map: str | None
    uri: str = ""
    duration: float = 0.0
    date: str = ""
    parts: list[Part] = field(default_factory=list[Part])


@dataclass
class Playlist:
    """A media playlist. `segments` are complete; `open` has the parts behind them."""

    tags: dict[str, str]
    target: int
    part_target: float
    control: dict[str, str]
    first: int
    discontinuity: int
    skipped: int
    segments: list[Segment]
    open: Segment
    hints: list[dict[str, str]]

    @property
    def parts(self) -> list[Part]:
        return [part for segment in [*self.segments, self.open] for part in segment.parts]


def attributes(text: str) -> dict[str, str]:
    """An attribute list."""
    return {name: value.strip('"') for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', text)}


def parse(text: str) -> Playlist:
    """A media playlist; its form is checked on the way."""
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    tags: dict[str, str] = {}
    segments: list[Segment] = []
    hints: list[dict[str, str]] = []
    first = discontinuity = skipped = 0
    once = {"VERSION", "TARGETDURATION", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "SERVER-CONTROL", "PART-INF"}
    now = Segment(0, 0, None)

    def following(done: Segment) -> Segment:
        return Segment(done.number + 1, done.discontinuity, done.map)

    for line in lines[1:]:
        name, _, value = line.removeprefix("#EXT-X-").partition(":")
        if line.startswith("#EXT-X-"):
            assert name not in once or name not in tags, f"{name} stands twice"
            tags[name] = value
        if name == "MEDIA-SEQUENCE":
            first = now.number = int(value)
        elif name == "DISCONTINUITY-SEQUENCE":
            assert not segments, "EXT-X-DISCONTINUITY-SEQUENCE stands before the first segment"
            discontinuity = now.discontinuity = int(value)
        elif name == "SKIP":
            assert not segments
            skipped = int(attributes(value)["SKIPPED-SEGMENTS"])
            now.number += skipped
        elif name == "PRELOAD-HINT":
            hints.append(attributes(value))
        elif line.startswith("#EXTINF:"):
            now.duration = float(line.removeprefix("#EXTINF:").split(",")[0])
        elif not line.startswith("#"):
            assert not hints, "a hint stands before a segment"
            now.uri = line
            segments.append(now)
            now = following(now)
        else:
            _note(now, name, value)
    control = attributes(tags["SERVER-CONTROL"])
    part_target = float(attributes(tags["PART-INF"])["PART-TARGET"])
    return Playlist(
        tags, int(tags["TARGETDURATION"]), part_target, control, first, discontinuity, skipped, segments, now, hints
    )


def _note(now: Segment, name: str, value: str) -> None:
    """A tag of a segment."""
    if name == "DISCONTINUITY":
        assert not now.parts
        now.discontinuity += 1
    elif name == "MAP":
        now.map = attributes(value)["URI"]
    elif name == "PROGRAM-DATE-TIME":
        now.date = value
    elif name == "PART":
        found = attributes(value)
        now.parts.append(Part(found["URI"], float(found["DURATION"]), found.get("INDEPENDENT") == "YES"))


def check(playlist: Playlist, *, steady: bool = True) -> None:
    """What holds of one playlist.

    Args:
        playlist: The playlist.
        steady: Whether the source sends a picture in the time of each part; if not, segments may have no parts listed,
            and parts may be short: one ends where the next picture may not fit, and pictures come far apart.
    """
    target, part_target, control = playlist.target, playlist.part_target, playlist.control
    assert int(playlist.tags["VERSION"]) >= (9 if playlist.skipped else 6)
    for segment in playlist.segments:
        assert round(segment.duration) <= target, "a segment is longer than the target duration"
        assert segment.map, "fragmented MP4 without EXT-X-MAP"
        assert segment.date, "EXT-X-PROGRAM-DATE-TIME is missing"
        if segment.parts:
            total = sum(part.duration for part in segment.parts)
            assert abs(total - segment.duration) < 0.01, "parts are not the segment"
    for segment in [*playlist.segments, playlist.open]:
        for part in segment.parts:
            assert part.duration <= part_target + 1e-4, "a part is longer than the part target"
        for part in segment.parts[:-1]:
            assert part.duration >= 0.85 * part_target or part.independent or not steady, "a part is too short"
    assert control["CAN-BLOCK-RELOAD"] == "YES"
    assert float(control["HOLD-BACK"]) >= 3 * target
    assert float(control["PART-HOLD-BACK"]) >= 2 * part_target
    assert float(control["CAN-SKIP-UNTIL"]) >= 6 * target
    names = [one.uri for one in playlist.segments] + [part.uri for part in playlist.parts]
    assert len(set(names)) == len(names), "two have one name"
    if playlist.open.parts:
        assert playlist.open.map
    # Parts are listed of what is nearer to the end than three target durations.
    age = sum(part.duration for part in playlist.open.parts)
    for segment in reversed(playlist.segments):
        assert segment.parts or not steady or age >= 3 * target or segment.duration == 0, "parts are left out too early"
        age += segment.duration
    for hint in playlist.hints:
        assert hint["URI"] not in names, "what is there is hinted at"


def check_update(before: Playlist, after: Playlist) -> None:
    """What holds of two playlists of one URL, the second one whole."""
    for name in ("TARGETDURATION", "PART-INF"):
        assert before.tags[name] == after.tags[name], f"{name} has changed"
    assert after.first >= before.first, "a media sequence number goes back"
    assert after.discontinuity >= before.discontinuity, "a discontinuity sequence number goes back"
    old = {segment.number: segment for segment in before.segments}
    for segment in after.segments:
        known = old.get(segment.number)
        if known is not None:
            one, other = vars(known) | {"parts": 0}, vars(segment) | {"parts": 0}
            assert one == other, "a segment has changed"
            assert not segment.parts or not known.parts or segment.parts == known.parts
    assert after.open.number >= before.open.number
    gone = before.open
    same = next((one for one in [*after.segments, after.open] if one.number == gone.number), None)
    if same is not None and same.parts:
        assert same.parts[: len(gone.parts)] == gone.parts, "parts have changed"
        assert not gone.parts or same.discontinuity == gone.discontinuity


def merged(before: Playlist, delta: Playlist) -> list[dict[str, Any]]:
    """The segments that a player has after a delta update."""
    kept = [one for one in before.segments if delta.first <= one.number < delta.first + delta.skipped]
    assert len(kept) == delta.skipped, "the player does not have what is skipped"
    last_map = kept[-1].map if kept else None
    result = [*kept]
    for segment in delta.segments:
        segment.map = segment.map or last_map
        last_map = segment.map
        result.append(segment)
    return [vars(one) | {"parts": 0, "discontinuity": 0} for one in result]
