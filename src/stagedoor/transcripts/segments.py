"""Segments made of text streams: which streams are versions of one segment, and which version counts.

Agents send an utterance several times: interim text while it is spoken, then final text. Those that give it a segment
id (`lk.segment_id`) state which streams belong together. For those that do not, streams of one speaker and track belong
together when one follows the other at once and begins alike.

Nothing that was heard is ever wiped: a version that shows nothing replaces nothing, and a stream of which it is not
clear that it goes on with another is a segment of its own.
"""

from __future__ import annotations

import difflib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from stagedoor.kernel.texts import shows_nothing
from stagedoor.mediaserver.snapshots import clean
from stagedoor.transcripts.nouns import Segment
from stagedoor.transcripts.protocol import TextStream

_V = TypeVar("_V")

REMEMBERED: Final = 1_000
"""How many segments, streams and speakers of a room are remembered each, so that what comes later finds them."""

_PAUSE_MS: Final = 5_000
"""A stream that begins later after the one before is another utterance: interim text comes every second or so."""

_COMPARED_CHARACTERS: Final = 200
_ALIKE: Final = 0.6
"""Ratio of `difflib` from which two beginnings are one utterance: `whether` and `Weather is nice` are, by 0.86."""


@dataclass(slots=True)
class _Versions:
    """The highest numbers of the streams that were taken for a segment."""

    newest: int = 0
    final: int = 0


@dataclass(frozen=True, slots=True)
class _Utterance:
    """The newest stream without a segment id of a speaker and track.

    Attributes:
        finality: `stated` by the sender, `assumed` of a sender who states nothing, or `interim`.
    """

    segment_id: str
    number: int
    words: str
    over: bool
    finality: Literal["stated", "assumed", "interim"]
    ended_at: int


class _Remembered(OrderedDict[object, _V], Generic[_V]):
    """A dict that forgets what was put into it longest ago."""

    def put(self, key: object, value: _V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class SegmentAssembler:
    """Makes the segments of one stay in a room."""

    def __init__(self) -> None:
        self._versions: _Remembered[_Versions] = _Remembered()
        self._utterances: _Remembered[_Utterance] = _Remembered()
        self._segment_of_stream: _Remembered[str] = _Remembered()

    def take(self, stream: TextStream) -> Segment | None:
        """The segment as it is now; `None` when the stream changes nothing."""
        if shows_nothing(stream.text):
            return None
        if stream.kind == "chat":
            segment_id: str | None = stream.stream_id
        else:
            segment_id = stream.segment_id or self._segment_without_id(stream)
        if segment_id is None:
            return None
        final = stream.state == "closed" and stream.final is not False
        return _segment(stream, segment_id, final=final) if self._counts(stream, segment_id, final=final) else None

    def _counts(self, stream: TextStream, segment_id: str, *, final: bool) -> bool:
        """A later stream of a segment replaces an earlier one, even when the earlier one is read to its end later; but
        what is final counts all the same, unless something later was final."""
        key = stream.kind, stream.speaker, segment_id
        versions = self._versions.get(key) or _Versions()
        counts = stream.number >= (versions.final if final else versions.newest)
        if counts and final:
            versions.final = stream.number
        versions.newest = max(versions.newest, stream.number)
        self._versions.put(key, versions)
        return counts

    def _segment_without_id(self, stream: TextStream) -> str | None:
        """The segment of the utterance that the stream goes on with, or one of its own; `None` while it is too short to
        say."""
        place = stream.speaker, stream.track_sid
        before = self._utterances.get(place)
        words = _words(stream.text)
        segment_id = self._segment_of_stream.get(stream.number)
        if segment_id is None:
            same = None if before is None else _goes_on(before, stream, words)
            if same is None and before is not None:
                return None
            segment_id = before.segment_id if same and before is not None else stream.stream_id
            self._segment_of_stream.put(stream.number, segment_id)
        if before is None or stream.number >= before.number:
            finality = _finality(stream)
            self._utterances.put(
                place, _Utterance(segment_id, stream.number, words, stream.state != "open", finality, stream.ended_at)
            )
        return segment_id


def _finality(stream: TextStream) -> Literal["stated", "assumed", "interim"]:
    if stream.state != "closed" or stream.final is False:
        return "interim"
    return "assumed" if stream.final is None else "stated"


def _goes_on(before: _Utterance, stream: TextStream, words: str) -> bool | None:
    """Whether the stream is a newer version of the utterance before it; `None` while it is too early to say."""
    if (
        stream.number < before.number
        or not before.over
        or before.finality == "stated"
        or stream.started_at - before.ended_at > _PAUSE_MS
    ):
        return False
    if before.finality == "assumed":
        return _says_more(before.words, stream, words)
    if not _alike(before.words, words):
        return False
    if stream.state == "open":
        return True if len(words) >= len(before.words) else None
    return 2 * len(words) >= len(before.words)


def _says_more(before: str, stream: TextStream, words: str) -> bool | None:
    """Whether the stream has all words of the one before it and more: that one may have been whole already."""
    longer = len(words) > len(before)
    shorter, long = sorted((before, words), key=len)
    if not before or stream.final is False or not f"{long} ".startswith(f"{shorter} "):
        return False
    if stream.state == "open":
        return None
    return longer and stream.state == "closed"


def _words(text: str) -> str:
    """Only what is spoken: the words in small letters."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _alike(one: str, other: str) -> bool:
    """Whether two texts begin alike, as far as both go."""
    length = min(len(one), len(other), _COMPARED_CHARACTERS)
    if length == 0:
        return False
    return difflib.SequenceMatcher(None, one[:length], other[:length], autojunk=False).ratio() >= _ALIKE


def _segment(stream: TextStream, segment_id: str, *, final: bool) -> Segment:
    return Segment(
        stream.kind,
        clean(stream.speaker),
        clean(segment_id),
        clean(stream.name),
        None if stream.track_sid is None else clean(stream.track_sid, 64),
        None if stream.language is None else clean(stream.language),
        clean(stream.text, len(stream.text)),
        final,
        stream.started_at,
        stream.ended_at,
    )
