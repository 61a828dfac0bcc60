"""Files of transcripts, whatever people say."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.rooms.nouns import Session
from stagedoor.transcripts.formats import Whole, as_json, as_txt, as_vtt, speaker_label
from stagedoor.transcripts.nouns import Segment, Transcript

START = 1_700_000_000_000
SESSION = Session("ses_1", "app_1", "demo", "live-demo", "RM_1", "ended", START, "livekit", START, START)
TRANSCRIPT = Transcript("ses_1", "app_1", "archived", True, START, START, START + 60_000, START + 61_000)
CUE = re.compile(r"(\d{2,}:[0-5]\d:[0-5]\d\.\d{3}) --> (\d{2,}:[0-5]\d:[0-5]\d\.\d{3})\n<v ([^\n<>]*)>([^\n]*)\n")

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
segments = st.builds(
    Segment,
    kind=st.sampled_from(["speech", "chat"]),
    speaker=words,
    segment_id=words,
    name=words,
    track_sid=st.none(),
    language=st.none() | st.just("en-GB"),
    text=words,
    final=st.booleans(),
    started_at=st.integers(START - 5_000, START + 400_000_000),
    ended_at=st.integers(START - 5_000, START + 400_000_000),
)


@given(st.lists(segments, max_size=8))
def test_a_webvtt_file_is_made_of_whole_cues(segment_of: list[Segment]) -> None:
    text = as_vtt(Whole("live", SESSION, TRANSCRIPT, segment_of)).decode()
    head, *cues = text.split("\n\n")
    assert head.rstrip("\n") == "WEBVTT"
    spoken = [segment for segment in segment_of if segment.text.split()]
    assert len(cues) == len(spoken)
    for cue in cues:
        found = CUE.fullmatch(cue.rstrip("\n") + "\n")
        assert found, cue
        assert found[1] < found[2] or len(found[1]) < len(found[2])
        assert "-->" not in found[4]


@given(st.lists(segments, max_size=8))
def test_a_line_of_text_is_a_segment(segment_of: list[Segment]) -> None:
    lines = as_txt(Whole("live", SESSION, TRANSCRIPT, segment_of)).decode().split("\n")[:-1]
    assert len(lines) == len([segment for segment in segment_of if segment.text.split()])


@given(st.lists(segments, max_size=8))
def test_json_has_every_segment_as_it_was(segment_of: list[Segment]) -> None:
    found = json.loads(as_json(Whole("live", SESSION, TRANSCRIPT, segment_of)))["segments"]
    assert [entry["text"] for entry in found] == [segment.text for segment in segment_of]
    assert all(entry["offsetMs"] >= 0 for entry in found)


def segment_of(name: str, text: str = "hello", speaker: str = "phone-42") -> Segment:
    return Segment("chat", speaker, "SG_1", name, None, None, text, True, START, START)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada", "Ada"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069c\u202d\u202c", "a\\u2066b\\u2069c\\u202d\\u202c"),
        ("\u05d3\u05df\u200f", "\u05d3\u05df\u200f"),
        ("", "phone-42"),
        ("   ", "phone-42"),
        ("\u200b\u00a0\u2800", "phone-42"),
        ("\u202e", "phone-42"),
        ("\x1b]0;pwned\x07", "\ufffd]0;pwned\ufffd"),
        ("A\n[00:00:09] Bob", "A [00:00:09] Bob"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    ],
)
def test_a_name_shows_who_it_was_and_turns_no_line_round(name: str, shown: str) -> None:
    assert speaker_label(segment_of(name)) == shown
    whole = Whole("live", SESSION, TRANSCRIPT, [segment_of(name)])
    assert as_txt(whole).decode() == f"[00:00:00] {shown}: hello\n"
    assert f"<v {shown}>hello\n" in as_vtt(whole).decode()


def test_a_speaker_without_anything_to_show() -> None:
    assert speaker_label(segment_of(" ", speaker="\u2028")) == "?"


def test_text_gives_a_terminal_no_orders() -> None:
    whole = Whole("live", SESSION, TRANSCRIPT, [segment_of("Ada", "a\x1b[2Jb\x9bc\x00")])
    for text in (as_txt(whole).decode(), as_vtt(whole).decode()):
        assert "a\ufffd[2Jb\ufffdc\ufffd" in text
