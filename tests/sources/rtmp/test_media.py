"""Media messages of every dialect become tags that FFmpeg reads (cases N01, N02, N08)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp import flv
from stagedoor.sources.rtmp.amf0 import encode
from stagedoor.sources.rtmp.media import MediaReader
from stagedoor.sources.rtmp.message import AGGREGATE, AMF3_DATA, AUDIO, VIDEO, Message
from stagedoor.sources.rtmp.video import UnsupportedVideo
from tests.support.rtmp_encoder import AAC_CONFIG, AVC_CONFIG, metadata, tags

HEVC_RECORD = bytes.fromhex("0101600000009000000000005df000fcfdf8f800000f03") + bytes.fromhex("2000010004deadbeef")
CODED = b"\0\0\0\x02\x65\x88"


def made(*messages: Message, reader: MediaReader | None = None) -> list[tuple[int, int, bytes]]:
    """The tags of one stream's messages."""
    reader = reader or MediaReader()
    return tags(b"".join(reader.read(message, message.timestamp) for message in messages) or flv.FILE_HEADER)


def video(*payloads: bytes) -> list[bytes]:
    return [payload for _, _, payload in made(*(Message(VIDEO, 1, at * 40, each) for at, each in enumerate(payloads)))]


def noticed(*messages: Message) -> list[str]:
    reader = MediaReader()
    made(*messages, reader=reader)
    return [notice.code for notice in reader.notices()]


def test_avc_goes_through_unchanged_with_negative_composition_times() -> None:
    picture = b"\x27\x01\xff\xff\xd8" + CODED
    assert video(AVC_CONFIG, picture) == [AVC_CONFIG, picture]


@pytest.mark.parametrize("values", [{}, {"duration": 0.0}, {"videocodecid": 7.0, "audiocodecid": 10.0}])
def test_metadata_decides_nothing(values: dict[str, float]) -> None:
    found = made(metadata(dict(values)), Message(VIDEO, 1, 3_000, AVC_CONFIG), Message(AUDIO, 1, 13_000, AAC_CONFIG))
    assert [kind for kind, _, _ in found] == [18, 9, 8]


def test_metadata_without_its_first_word_or_in_amf3() -> None:
    values = encode("onMetaData", {"width": 1.0})
    found = made(
        Message(18, 1, 0, values), Message(AMF3_DATA, 1, 0, b"\0" + values), Message(18, 1, 0, encode("onCue"))
    )
    assert [payload for _, _, payload in found] == [values, values]


@pytest.mark.parametrize("format_", [12, 13, 15])
def test_audio_without_a_decoder_is_left_out_once_noticed_and_video_goes_on(format_: int) -> None:
    sent = [Message(VIDEO, 1, 0, AVC_CONFIG), *[Message(AUDIO, 1, at, bytes((format_ << 4, 1, 2))) for at in range(3)]]
    assert [kind for kind, _, _ in made(*sent)] == [9]
    assert noticed(*sent) == ["audio_left_out"]


@pytest.mark.parametrize("format_", [2, 3, 5, 7, 8, 10, 11])
def test_audio_with_a_decoder_goes_on(format_: int) -> None:
    assert [kind for kind, _, _ in made(Message(AUDIO, 1, 0, bytes((format_ << 4 | 0xF, 1, 2))))] == [8]


@pytest.mark.parametrize("number", [7, 12])
def test_hevc_under_an_old_number_gets_its_name(number: int) -> None:
    start = bytes((0x10 | number, 0, 0, 0, 0)) + HEVC_RECORD
    coded = bytes((0x20 | number, 1, 0, 0, 9)) + CODED
    assert video(start, coded) == [b"\x90hvc1" + HEVC_RECORD, b"\xa1hvc1\0\0\x09" + CODED]


@pytest.mark.parametrize("codec", [b"hvc1", b"av01", b"vp09"])
def test_enhanced_codecs_go_through(codec: bytes) -> None:
    sent = [b"\x90" + codec + b"config", b"\xa3" + codec + CODED]
    assert video(*sent) == sent


def test_enhanced_avc_and_aac_get_their_old_headers() -> None:
    sent = [b"\x90avc1" + AVC_CONFIG[5:], b"\xa1avc1\0\0\x28" + CODED, b"\xa3avc1" + CODED]
    assert video(*sent) == [AVC_CONFIG, b"\x27\x01\0\0\x28" + CODED, b"\x27\x01\0\0\0" + CODED]
    sounds = made(Message(AUDIO, 1, 0, b"\x90mp4a\x12\x10"), Message(AUDIO, 1, 20, b"\x91mp4asound"))
    assert [payload for _, _, payload in sounds] == [AAC_CONFIG, b"\xaf\x01sound"]


def test_opus_goes_through() -> None:
    assert made(Message(AUDIO, 1, 0, b"\x91Opussound"))[0][2] == b"\x91Opussound"


def test_a_modifier_is_taken_off() -> None:
    assert video(b"\x97\x02\1\2\3\x01hvc1\0\0\0" + CODED) == [b"\x91hvc1\0\0\0" + CODED]
    assert video(b"\x97\xff\x00\xff" + bytes(256) + b"\x01hvc1\0\0\0" + CODED) == [b"\x91hvc1\0\0\0" + CODED]


def sized(*bodies: bytes, codec: bytes = b"") -> bytes:
    return b"".join(codec + bytes((at,)) + len(body).to_bytes(3, "big") + body for at, body in enumerate(bodies))


@pytest.mark.parametrize(
    "message",
    [
        b"\x96\x11hvc1" + sized(b"\0\0\0first", b"\0\0\0second"),
        b"\x96\x21" + sized(b"\0\0\0first", b"\0\0\0second", codec=b"hvc1"),
    ],
)
def test_of_several_tracks_in_a_message_the_first_is_taken(message: bytes) -> None:
    assert video(message) == [b"\x91hvc1\0\0\0first"]
    assert noticed(Message(VIDEO, 1, 0, message), Message(VIDEO, 1, 40, message)) == ["video_tracks_left_out"]


def test_of_tracks_in_messages_of_their_own_the_first_is_taken() -> None:
    """Multitrack as OBS sends it: the first track as if it were alone, the others with their numbers."""
    first, second = b"\x27\x01\0\0\0" + CODED, b"\x96\x01avc1\x01\0\0\0" + CODED
    assert video(AVC_CONFIG, b"\x96\x00avc1\x01" + AVC_CONFIG[5:], first, second) == [AVC_CONFIG, first]


def test_a_single_track_with_a_number_is_taken() -> None:
    assert video(b"\x96\x01hvc1\x03\0\0\0" + CODED) == [b"\x91hvc1\0\0\0" + CODED]


@pytest.mark.parametrize("payload", [b"\x1d\x01\0\0\0abc", b"\x90vvc1abc", b"\x90abcdefg"])
def test_video_without_a_decoder_is_refused_with_the_setting_to_change(payload: bytes) -> None:
    with pytest.raises(UnsupportedVideo, match=r"H\.264"):
        video(payload)


@pytest.mark.parametrize(
    "payload", [b"", b"\x17", b"\x17\x01", b"\x17\x02\0\0\0", b"\x57\x00", b"\x95hvc1\0", b"\x90av", b"\x97", b"\x96"]
)
def test_what_is_no_picture_makes_no_tag_and_ends_nothing(payload: bytes) -> None:
    assert video(payload, AVC_CONFIG) == [AVC_CONFIG]


def test_an_aggregate_is_split_and_its_times_are_relative_to_its_own() -> None:
    inner = b"".join(
        bytes((kind,)) + len(payload).to_bytes(3, "big") + at.to_bytes(3, "big") + bytes(4) + payload + bytes(4)
        for kind, at, payload in [
            (9, 500, AVC_CONFIG),
            (8, 500, AAC_CONFIG),
            (8, 520, b"\xaf\1x"),
            (9, 540, b"\x27\1\0\0\0x"),
        ]
    )
    found = made(Message(AGGREGATE, 1, 100, inner + b"\x09\0\0\xffcut"))
    assert [(kind, at) for kind, at, _ in found] == [(9, 100), (8, 100), (8, 120), (9, 140)]


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO, AGGREGATE, 18, 15]), st.binary(max_size=60)), max_size=8))
def test_any_payload_gives_whole_tags(sent: list[tuple[int, bytes]]) -> None:
    reader = MediaReader()
    found = b""
    for at, (kind, payload) in enumerate(sent):
        try:
            found += reader.read(Message(kind, 1, at * 40, payload), at)
        except UnsupportedVideo:
            return
    if found:
        tags(found)


def pictures(seconds: int, since: int = 0) -> list[Message]:
    return [Message(VIDEO, 1, since + at * 1_000, b"\x27\x01\0\0\0" + CODED) for at in range(seconds)]


@pytest.mark.parametrize(
    ("announced", "codec"),
    [
        (metadata({"audiocodecid": 10.0}), "aac"),
        (metadata({"audiocodecid": "mp4a"}), "aac"),
        (metadata({"audiocodecid": "Opus"}), "opus"),
        (metadata({"audiocodecid": 2.0, "audiosamplerate": 44_100.0}), "mp3"),
        (Message(AUDIO, 1, 0, AAC_CONFIG), "aac"),
    ],
)
def test_audio_that_is_announced_and_never_comes_is_noticed_once(announced: Message, codec: str) -> None:
    reader = MediaReader()
    made(announced, *pictures(10), reader=reader)
    assert reader.notices() == []
    for message in pictures(30, 10_000):
        reader.read(message, message.timestamp)
    (notice,) = reader.notices()
    assert (notice.code, notice.track, notice.codec) == ("audio_missing", "audio", codec)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [metadata({"videocodecid": 7.0})],
        [metadata({"audiocodecid": 0.0})],
        [metadata({"audiocodecid": 10.0, "hasAudio": False})],
        [Message(18, 1, 0, encode("onMetaData") + b"\x08\xff")],
        [metadata({"audiocodecid": 10.0}), Message(AUDIO, 1, 0, AAC_CONFIG), Message(AUDIO, 1, 5, b"\xaf\x01\x21")],
        [metadata({"audiocodecid": 15.0}), Message(AUDIO, 1, 5, b"\xf0\x01\x21")],
    ],
)
def test_audio_that_comes_or_is_not_announced_is_not_missed(before: list[Message]) -> None:
    assert "audio_missing" not in noticed(*before, *pictures(40))
