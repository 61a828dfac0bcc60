"""Messages come out as they went in: whatever the dialect, the pieces and the interleaving."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp import chunk_writer
from stagedoor.sources.rtmp.chunk_reader import MOST_CHUNK_STREAMS, ChunkReader
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.message import ABORT, AUDIO, SET_CHUNK_SIZE, VIDEO, Message
from tests.support.rtmp_encoder import ChunkEncoder, basic_header

MOST = 1 << 20
STEPS = st.one_of(st.integers(0, 50), st.just(40), st.sampled_from([0, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFF0]))
PAYLOADS = st.one_of(
    st.binary(max_size=400), st.integers(0, 3000).map(bytes), st.just(b"\xc4" * 1000), st.just(b"\0\xff\xff\xff" * 99)
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[tuple[int, Message]], bytes]:
    """Messages on several chunk streams, and their chunks, interleaved."""
    encoder = ChunkEncoder(draw(st.sampled_from([1, 16, 128, 4096, 60_000])), draw(st.booleans()), draw(st.booleans()))
    times: dict[int, int] = {}
    queues: dict[int, list[tuple[Message, list[bytes]]]] = {}
    ids = draw(st.lists(st.sampled_from([3, 4, 6, 63, 64, 319, 320, 65_599]), min_size=1, max_size=4, unique=True))
    for id_ in draw(st.lists(st.sampled_from(ids), min_size=1, max_size=8)):
        start = times.get(id_, draw(st.sampled_from([0, 5, 0xFF_FFF0, 0x1234_5678])))
        times[id_] = (start + draw(STEPS)) & 0xFFFF_FFFF
        kind = draw(st.sampled_from([AUDIO, VIDEO]))
        payload = draw(PAYLOADS if encoder.repeats_extended else PAYLOADS.filter(lambda made: b"\xff" not in made))
        message = Message(kind, 1, times[id_], payload)
        queues.setdefault(id_, []).append((message, encoder.pieces(message, id_)))
    order: list[tuple[int, Message]] = []
    data = b""
    while queues:
        id_ = draw(st.sampled_from(sorted(queues)))
        message, pieces = queues[id_][0]
        data += pieces.pop(0)
        if not pieces:
            order.append((id_, message))
            queues[id_].pop(0)
            if not queues[id_]:
                del queues[id_]
    return order, _sized(encoder.chunk_size) + data


def _sized(size: int) -> bytes:
    return chunk_writer.chunks(Message(SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big")), 2, 128)


def read(*pieces: bytes, most: int = MOST) -> list[Message]:
    reader = ChunkReader(most)
    found: list[Message] = []
    for piece in pieces:
        reader.feed(piece)
        while (message := reader.next_message()) is not None:
            found.append(message)
        assert reader.held_bytes <= 2 * most + len(piece)
    return found


@given(conversations(), st.data())
def test_any_pieces_of_the_same_bytes_give_the_same_messages(
    conversation: tuple[list[tuple[int, Message]], bytes], data: st.DataObject
) -> None:
    expected, sent = conversation
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=12).map(sorted))
    pieces = [sent[start:end] for start, end in itertools.pairwise([0, *cuts, len(sent)])]
    assert read(*pieces) == [message for _, message in expected]


def test_one_byte_at_a_time() -> None:
    encoder = ChunkEncoder()
    messages = [Message(VIDEO, 1, at * 40 + 0xFF_FFF0, bytes((at,)) * 700) for at in range(5)]
    sent = b"".join(encoder.write(message, 6) for message in messages)
    assert read(*(bytes((byte,)) for byte in sent)) == messages


@given(st.integers(0, 0xFFFF_FFFF), st.binary(max_size=1000), st.sampled_from([128, 60_000]), st.integers(2, 63))
def test_what_the_server_writes_is_read(timestamp: int, payload: bytes, size: int, chunk_stream: int) -> None:
    message = Message(VIDEO, 1, timestamp, payload)
    assert read(_sized(size), chunk_writer.chunks(message, chunk_stream, size)) == [message]


def test_a_chunk_size_that_changes_in_the_middle_of_a_message() -> None:
    encoder = ChunkEncoder()
    message = Message(VIDEO, 1, 0, bytes(range(256)) * 2)
    first = encoder.pieces(message, 6)[0]
    rest = basic_header(3, 6) + message.payload[128:]
    assert read(first + _sized(4096) + rest) == [message]


def test_an_aborted_message_does_not_come() -> None:
    first = ChunkEncoder().pieces(Message(VIDEO, 1, 0, bytes(300)), 6)[0]
    whole = ChunkEncoder().write(Message(VIDEO, 1, 40, b"whole"), 6)
    abort = chunk_writer.chunks(Message(ABORT, 0, 0, (6).to_bytes(4, "big")), 2, 128)
    assert read(first + abort + whole) == [Message(VIDEO, 1, 40, b"whole")]


def test_an_encoder_that_gives_a_message_up_goes_on_with_the_next() -> None:
    first = ChunkEncoder().pieces(Message(VIDEO, 1, 0, bytes(300)), 6)[0]
    assert read(first + ChunkEncoder().write(Message(VIDEO, 1, 40, b"whole"), 6)) == [Message(VIDEO, 1, 40, b"whole")]


@pytest.mark.parametrize(("start", "times"), [(23, [23, 46, 69]), (3_600_000, [3_600_000, 3_600_000, 3_600_000])])
def test_a_header_without_a_time_behind_a_full_one(start: int, times: list[int]) -> None:
    """FFmpeg means its time as the step; a time that is no step means the same time again, as librtmp does."""
    head = basic_header(0, 4) + start.to_bytes(3, "big") + (1).to_bytes(3, "big") + bytes((AUDIO, 1, 0, 0, 0))
    sent = head + b"a" + basic_header(3, 4) + b"b" + basic_header(3, 4) + b"c"
    assert [message.timestamp for message in read(sent)] == times


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (_sized(0), "bad_chunk_size"),
        (_sized(1 << 31), "bad_chunk_size"),
        (chunk_writer.chunks(Message(SET_CHUNK_SIZE, 0, 0, b"\0"), 2, 128), "bad_control_message"),
        (basic_header(3, 9) + b"x", "bad_chunk"),
        (basic_header(0, 4) + bytes(3) + b"\xff\xff\xff" + bytes((VIDEO, 1, 0, 0, 0)), "message_too_big"),
        (
            b"".join(ChunkEncoder().write(Message(AUDIO, 1, 0, b"x"), 3 + at) for at in range(MOST_CHUNK_STREAMS + 1)),
            "too_many_chunk_streams",
        ),
        (
            b"".join(ChunkEncoder(60_000).pieces(Message(VIDEO, 1, 0, bytes(MOST)), 3 + at)[0] for at in range(60)),
            "message_too_big",
        ),
    ],
)
def test_what_is_beyond_a_bound_is_refused(sent: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read(_sized(60_000) + sent)
    assert raised.value.code == code


@given(st.binary(max_size=600))
def test_any_bytes_give_messages_or_the_protocol_error(sent: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read(sent, most=256)
