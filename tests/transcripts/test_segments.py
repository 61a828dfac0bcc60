"""Which streams are one segment, and that nothing that was heard is wiped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.transcripts.nouns import Segment
from stagedoor.transcripts.protocol import TextStream
from stagedoor.transcripts.segments import REMEMBERED, SegmentAssembler

START = 1_700_000_000_000


@dataclass
class Room:
    """An assembler and what its segments come to, kept as the store keeps them."""

    assembler: SegmentAssembler = field(default_factory=SegmentAssembler)
    kept: dict[tuple[str, str, str], Segment] = field(default_factory=dict[tuple[str, str, str], Segment])
    streams: int = 0
    now: int = START

    def stream(self, text: str, segment: str | None = None, final: bool | None = None, **more: Any) -> int:
        """A stream that is sent whole; its number."""
        self.streams += 1
        self.now += more.pop("after", 300)
        end = more.pop("end", "closed")
        self.receive(self.streams, text, segment, final, **more)
        self.receive(self.streams, text, segment, final, state=end, **more)
        return self.streams

    def receive(
        self,
        number: int,
        text: str,
        segment: str | None,
        final: bool | None,
        *,
        state: Literal["open", "closed", "broken"] = "open",
        **more: Any,
    ) -> None:
        """A stream as far as it has come."""
        given: dict[str, Any] = {"speaker": "ada", "kind": "speech", "track_sid": "TR_1"} | more
        stream = TextStream(
            subscription="sub_1",
            number=number,
            stream_id=f"s{number}",
            segment_id=segment,
            name="Ada",
            language=None,
            text=text,
            state=state,
            final=final,
            started_at=self.now,
            ended_at=self.now,
            **given,
        )
        made = self.assembler.take(stream)
        if made is not None:
            key = made.kind, made.speaker, made.segment_id
            known = self.kept.get(key)
            if known is None or made.final or not known.final:
                self.kept[key] = made

    @property
    def lines(self) -> list[tuple[str, bool]]:
        return [(one.text, one.final) for one in self.kept.values()]


BLANKS = ["", "   ", "\n\t", "\u00a0\u2003", "\u200b", "\u2060\ufeff", "\u2800"]


@pytest.mark.parametrize("blank", BLANKS)
def test_a_final_text_that_shows_nothing_wipes_no_guess(blank: str) -> None:
    room = Room()
    room.stream("So you made a big purchase", "A", False)
    room.stream(blank, "A", True)
    assert room.lines == [("So you made a big purchase", False)]


@pytest.mark.parametrize("blank", BLANKS)
def test_nor_a_final_text(blank: str) -> None:
    room = Room()
    room.stream("final F", "F", True)
    room.stream(blank, "F", True)
    room.stream(blank, "F", False)
    assert room.lines == [("final F", True)]


def test_nor_one_that_is_still_being_read() -> None:
    room = Room(streams=1)
    room.receive(1, "So you", "A", False)
    room.stream("", "A", True)
    room.receive(1, "So you made", "A", False)
    room.receive(1, "So you made it.", "A", True, state="closed")
    assert room.lines == [("So you made it.", True)]


def test_doubled_words_are_kept_as_they_were_sent() -> None:
    room = Room()
    room.stream("guess", "B", False)
    room.stream("service.", "B", True)
    room.stream("service.", "C", True, after=5)
    assert room.lines == [("service.", True), ("service.", True)]


def test_the_second_of_two_final_texts_counts_and_a_guess_after_it_does_not() -> None:
    room = Room()
    room.stream("one", "D", True)
    room.stream("two", "D", True)
    room.stream("a guess", "D", False)
    assert room.lines == [("two", True)]


def test_a_stream_that_is_closed_without_a_word_about_it_is_final_and_one_that_says_no_is_not() -> None:
    room = Room(streams=2)
    for text in ("One ", "One two ", "One two three"):
        room.receive(1, text, "A", None)
        room.receive(2, text, "B", False)
    room.receive(1, "One two three", "A", None, state="closed")
    room.receive(2, "One two three", "B", False, state="closed")
    assert room.lines == [("One two three", True), ("One two three", False)]


GROWING = ["So", "So you", "So you made", "So you made a big", "So you made a big purchase."]


@pytest.mark.parametrize("finals", [[False, False, False, False, True], [None] * 5])
def test_streams_of_one_utterance_without_a_segment_id_are_one_line(finals: list[bool | None]) -> None:
    room = Room()
    for text, final in zip(GROWING, finals, strict=True):
        room.stream(text, None, final)
    assert room.lines == [(GROWING[-1], True)]
    room.stream("It was expensive.", None, finals[-1])
    assert room.lines == [(GROWING[-1], True), ("It was expensive.", True)]


def test_two_speakers_do_not_mix() -> None:
    room = Room()
    for text in GROWING:
        room.stream(text, None, text == GROWING[-1])
        room.stream(text, None, text == GROWING[-1], speaker="bob")
        room.stream(text, None, text == GROWING[-1], track_sid="TR_2")
    assert room.lines == [(GROWING[-1], True)] * 3


def test_a_guess_that_is_revised_is_replaced() -> None:
    room = Room()
    for text, final in (("whether", False), ("Weather is", False), ("Weather is nice today!", True)):
        room.stream(text, None, final)
    assert room.lines == [("Weather is nice today!", True)]


@pytest.mark.parametrize(
    "utterances",
    [
        [("I want to cancel my subscription", False), ("No", True)],
        [("I want to cancel my subscription", False), ("Hello?", False)],
        [("Yes.", True), ("Yes.", True)],
        [("Yes.", None), ("Yes.", None)],
        [("No.", None), ("Not me.", None)],
        [("Yes.", None), ("Yes, I do.", False)],
        [("Yes.", True), ("Yes. I do.", True)],
        [("No, I said blue", False), ("No", True)],
        [("Blue", None), ("Green", None), ("Blue", None)],
    ],
)
def test_what_is_something_else_is_a_line_of_its_own(utterances: list[tuple[str, bool | None]]) -> None:
    room = Room()
    for text, final in utterances:
        room.stream(text, None, final)
    assert [text for text, _ in room.lines] == [text for text, _ in utterances]


def test_what_comes_after_a_pause_is_another_utterance() -> None:
    room = Room()
    room.stream("So you made", None, False)
    room.stream("So you made it.", None, True, after=60_000)
    assert room.lines == [("So you made", False), ("So you made it.", True)]


def test_a_stream_that_grows_takes_an_utterances_place_once_it_says_as_much() -> None:
    room = Room()
    first = room.stream("So you made a big", None, False)
    room.streams = first + 1
    seen: list[list[tuple[str, bool]]] = []
    for text in ("So ", "So you made ", "So you made a big purchase"):
        room.receive(room.streams, text, None, False)
        seen.append(room.lines)
    room.receive(room.streams, "So you made a big purchase.", None, True, state="closed")
    assert seen == [[("So you made a big", False)]] * 2 + [[("So you made a big purchase", False)]]
    assert room.lines == [("So you made a big purchase.", True)]


def test_a_stream_that_is_never_closed_keeps_what_it_has_and_holds_up_no_other() -> None:
    room = Room(streams=1)
    room.receive(1, "an endless", None, False)
    room.stream("Hello.", None, True)
    room.receive(1, "an endless stream", None, False)
    assert room.lines == [("an endless stream", False), ("Hello.", True)]


words = st.sampled_from(["yes", "no", "so you", "so you made", "so you made it", "Weather", "whether it", "", " "])
streams = st.lists(
    st.tuples(
        words,
        st.none() | st.sampled_from("AB"),
        st.none() | st.booleans(),
        st.sampled_from(["closed", "closed", "broken"]),
    ),
    max_size=12,
)


@given(streams)
def test_whatever_is_sent_the_last_words_are_there(sent: list[tuple[str, str | None, bool | None, str]]) -> None:
    room = Room()
    for text, segment, final, end in sent:
        room.stream(text, segment, final, end=end)
    assert all(text.strip() for text, _ in room.lines)
    for segment in ("A", "B"):
        said = [(text, final, end) for text, given, final, end in sent if given == segment and text.strip()]
        finals = [text for text, final, end in said if final is not False and end == "closed"]
        if said:
            assert room.kept["speech", "ada", segment].text == (finals or [text for text, _, _ in said])[-1]
    loose = [text for text, given, _, _ in sent if given is None and text.strip()]
    if loose:
        assert loose[-1] in {text for text, _ in room.lines}


def test_what_is_remembered_has_a_bound() -> None:
    room = Room()
    for number in range(3 * REMEMBERED):
        room.stream(f"text {number}", f"SG_{number}", True, speaker=f"speaker {number}")
        room.stream(f"words {number}", None, True, speaker=f"speaker {number}")
    sizes: Iterable[Any] = vars(room.assembler).values()
    assert max(len(one) for one in sizes) == REMEMBERED
