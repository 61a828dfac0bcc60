"""Recorded sessions of real encoders: whole, in any pieces, cut off and damaged."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagedoor.sources.rtmp.connection import Connection
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.events import Closing, PublishAsked, Tags, Unpublished
from stagedoor.sources.rtmp.keys import key_candidates
from tests.support.rtmp_server import KEY, demux

FOLDER: Final = Path(__file__).parent / "corpus"
SESSIONS: Final = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.rtmp"))}
MOST: Final = 200_000
NAMES: Final = st.sampled_from(sorted(SESSIONS))


@dataclass
class Played:
    """What came of a session."""

    asked: list[PublishAsked] = field(default_factory=list[PublishAsked])
    data: bytes = b""
    ends: int = 0
    error: str | None = None


def play(pieces: list[bytes]) -> Played:
    """Play a session to a connection that accepts everything, with a clock that stands still."""
    connection, played = Connection(MOST), Played()
    try:
        for piece in pieces:
            waiting: bytes | None = piece
            while waiting is not None:
                events = connection.feed(waiting, 0)
                waiting = None
                for event in events:
                    match event:
                        case Tags(data):
                            played.data += data
                        case PublishAsked():
                            played.asked.append(event)
                            connection.accept()
                            waiting = b""
                        case Unpublished():
                            played.ends += 1
                        case Closing(code):
                            played.error = code
                            return played
                        case _:
                            pass
            assert connection.held_bytes <= 2 * MOST + len(piece)
            connection.take_output()
    except ProtocolError as error:
        played.error = error.code
    return played


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(each % (len(data) + 1) for each in at), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_a_recorded_session(name: str) -> None:
    played = play([SESSIONS[name]])
    assert played.error is None
    assert played.ends == 1
    (asked,) = played.asked
    assert key_candidates(asked.app, asked.url, asked.stream_name)[0] == KEY
    found = demux(played.data)
    assert len(found.pictures) == 10
    assert found.decoded >= 8  # a decoder keeps some back
    assert ("opus" if "opus" in name else "aac") in found.audio
    assert found.reordered == ("b-frames" in name)


@given(NAMES, st.lists(st.integers(0, 30_000), max_size=20))
def test_any_pieces_of_it_give_the_same(name: str, at: list[int]) -> None:
    assert play(cut(SESSIONS[name], at)) == play([SESSIONS[name]])


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_byte_by_byte_it_gives_the_same(name: str) -> None:
    data = SESSIONS[name]
    assert play([data[at : at + 1] for at in range(len(data))]) == play([data])


@given(NAMES, st.integers(0, 30_000))
def test_what_is_cut_off_is_no_error(name: str, end: int) -> None:
    whole = play([SESSIONS[name]])
    part = play([SESSIONS[name][:end]])
    assert part.error is None
    assert whole.data.startswith(part.data)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    NAMES,
    st.lists(st.tuples(st.integers(0, 30_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    st.integers(0, 3_000),
    st.integers(0, 3_000),
)
def test_damage_is_taken_or_is_the_protocol_error(
    name: str, damages: list[tuple[int, bytes]], removed: int, twice: int
) -> None:
    data = bytearray(SESSIONS[name])
    for at, bytes_ in damages:
        place = 3073 + at % (len(data) - 3073)  # behind the handshake, whose bytes mean nothing
        data[place : place + len(bytes_)] = bytes_
    data[3073 + removed : 3073 + removed + 40] = b"" if removed % 2 else data[3073 + twice : 3073 + twice + 200]
    play(cut(bytes(data), [4_000, 9_000]))
