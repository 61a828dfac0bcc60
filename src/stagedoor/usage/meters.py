"""Meters, amounts and their division into hours: pure. Times are milliseconds since the epoch, amounts milliseconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

HOUR_MS: Final = 3_600_000
LONGEST_MS: Final = 316_224_000_000
"""Ten years: of a longer span only its end is metered, because each of its hours is a row."""

Meter = Literal["participant", "audio_track", "video_track", "ingress", "egress", "recording", "camera", "viewer"]
METERS: Final[tuple[Meter, ...]] = get_args(Meter)
AddedMeter = Literal["camera", "viewer"]
"""What no stored span holds: it is added to what is recorded, as time goes by."""

ADDED: Final[tuple[AddedMeter, ...]] = get_args(AddedMeter)
MEANINGS: Final[dict[Meter, str]] = {
    "participant": "Time that people and agents were there, added up.",
    "audio_track": "Time that audio tracks were published, added up.",
    "video_track": "Time that video tracks were published, added up.",
    "ingress": "Time that ingresses (RTMP, WHIP, pulled URLs) were there, added up.",
    "egress": "Time that egresses ran, added up.",
    "recording": "The part of it in which files or segments were written.",
    "camera": "Time that cameras sent frames, added up.",
    "viewer": "Time that a camera's frames were watched by MJPEG or WebSocket, and rooms by HLS, added up.",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A meter ran from `start` to `end`."""

    meter: Meter
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """What each meter shows, in milliseconds."""

    participant: int = 0
    audio_track: int = 0
    video_track: int = 0
    ingress: int = 0
    egress: int = 0
    recording: int = 0
    camera: int = 0
    viewer: int = 0

    @property
    def added(self) -> Amounts:
        """The part of it that no span holds."""
        return Amounts(**{meter: getattr(self, meter) for meter in ADDED})

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(getattr(self, meter) + getattr(other, meter) for meter in METERS))

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(*(getattr(self, meter) - getattr(other, meter) for meter in METERS))


def total(spans: Iterable[Span]) -> Amounts:
    """What the meters show after all of them."""
    found: defaultdict[str, int] = defaultdict(int)
    for span in spans:
        found[span.meter] += max(0, span.end - span.start)
    return Amounts(**found)


def by_hour(spans: Iterable[Span]) -> dict[int, Amounts]:
    """The same, by the beginning of the hour in which it ran; hours in which nothing did are left out."""
    found: defaultdict[int, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for span in spans:
        for hour, part in hours(span.start, span.end):
            found[hour][span.meter] += part
    return {hour: Amounts(**amounts) for hour, amounts in found.items()}


def hours(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The beginning of each hour between two times, and how much of it is between them."""
    at = start
    while at < end:
        hour = at - at % HOUR_MS
        until = min(end, hour + HOUR_MS)
        yield hour, until - at
        at = until


def minutes(amounts: Amounts) -> dict[str, float]:
    """For people and bills: `participantMinutes` and so on, to the hundredth of a second."""
    names = {"audio_track": "audioTrack", "video_track": "videoTrack"}
    return {f"{names.get(meter, meter)}Minutes": round(getattr(amounts, meter) / 60_000, 4) for meter in METERS}
