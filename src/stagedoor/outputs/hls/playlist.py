"""Renders playlists as RFC 8216bis says. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from stagedoor.outputs.hls.window import Segment, Timeline, Window

VERSION: Final = 9
"""The first with delta updates; `EXT-X-MAP` in playlists of more than I-frames, and parts, came before."""
_SKIP_TARGETS: Final = 6
"""`CAN-SKIP-UNTIL` is at least six target durations."""
_PARTS_TARGETS: Final = 3
"""Parts are listed up to three target durations from the end."""
_ROUNDING: Final = 1e-4
_BANDWIDTH_MARGIN: Final = 1.25
_FIRST_BANDWIDTH: Final = 2_000_000
"""Stated before a segment is complete."""


def multivariant(timeline: Timeline, uri: str) -> str:
    """The playlist that names the variants.

    Args:
        timeline: What the variant has.
        uri: The variant's playlist, with what its viewer needs in the query.
    """
    initialization = timeline.initialization
    mean = timeline.total * 8 / timeline.seconds if timeline.seconds else _FIRST_BANDWIDTH
    peak = max(timeline.peak, mean) * _BANDWIDTH_MARGIN
    attributes = [
        f"BANDWIDTH={math.ceil(peak)}",
        f"AVERAGE-BANDWIDTH={math.ceil(mean)}",
        f'CODECS="{initialization.codecs}"',
    ]
    if initialization.width:
        attributes.append(f"RESOLUTION={initialization.width}x{initialization.height}")
        if initialization.fps:
            attributes.append(f"FRAME-RATE={initialization.fps:.3f}")
        attributes.append("CLOSED-CAPTIONS=NONE")
    return f"#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-STREAM-INF:{','.join(attributes)}\n{uri}\n"


def media(window: Window, target: int, part: float, *, skip: bool = False) -> str:
    """The playlist of a window's segments and parts.

    Args:
        window: The window.
        target: The target duration in seconds.
        part: That of parts.
        skip: Whether segments that the viewer has may be left out (a delta update).
    """
    listed = list(window.listed())
    skipped = _skipped(window, target) if skip else 0
    first = listed[0].number if listed else window.next_number
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={_SKIP_TARGETS * target:.1f},"
        f"HOLD-BACK={3 * target:.1f},PART-HOLD-BACK={3 * part:.2f}",
        f"#EXT-X-PART-INF:PART-TARGET={part:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.first_discontinuity}",
    ]
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    with_parts = _with_parts(listed, target)
    before: Timeline | None = listed[skipped - 1].timeline if skipped else None
    for segment in listed[skipped:]:
        lines += _segment(segment, before, with_parts=segment.number >= with_parts and _in_time(segment, part))
        before = segment.timeline
    if window.timeline is not None and _may_hint(window, part):
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="m/{window.hint}"')
    return "\n".join(lines) + "\n"


def _skipped(window: Window, target: int) -> int:
    """How many segments are older than `CAN-SKIP-UNTIL`."""
    left = window.open.duration if window.timeline is not None else 0.0
    segments = window.segments
    for at in range(len(segments) - 1, -1, -1):
        left += segments[at].duration
        if left > _SKIP_TARGETS * target:
            return at
    return 0


def _with_parts(listed: list[Segment], target: int) -> int:
    """The number of the first segment whose parts are listed."""
    age = 0.0
    for segment in reversed(listed):
        if age >= _PARTS_TARGETS * target:
            return segment.number + 1
        age += segment.duration
    return 0


def _in_time(segment: Segment, part: float) -> bool:
    """Whether no part is longer than the target. Of a source that sends no picture for a while one is, and then the
    segment is listed without its parts."""
    return all(piece.header.duration <= part + _ROUNDING for piece in segment.pieces)


def _may_hint(window: Window, part: float) -> bool:
    opened = window.open
    if not opened.pieces:
        before = window.segments[-1:]
        return not opened.begins_timeline and all(_in_time(segment, part) for segment in before)
    return _in_time(opened, part)


def _segment(segment: Segment, before: Timeline | None, *, with_parts: bool) -> Iterator[str]:
    if segment.begins_timeline:
        yield "#EXT-X-DISCONTINUITY"
    if segment.timeline is not before:
        yield f'#EXT-X-MAP:URI="m/{segment.timeline.name}"'
    yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.at)}"
    if with_parts:
        for piece in segment.pieces:
            independent = ",INDEPENDENT=YES" if piece.header.independent else ""
            yield f'#EXT-X-PART:DURATION={piece.header.duration:.5f},URI="m/{piece.name}"{independent}'
    if segment.complete:
        yield f"#EXTINF:{segment.duration:.5f},"
        yield f"m/{segment.name}"


def _date(at: int) -> str:
    made = datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
    return made.replace("+00:00", "Z")
