"""From `connect` to `publish` and to the end, as encoders go through it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp import status
from stagedoor.sources.rtmp.amf_values import AmfValue
from stagedoor.sources.rtmp.connection import MOST_BEFORE_PUBLISH, Connection
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.events import Closing, Event, PublishAsked, Tags, Unpublished
from stagedoor.sources.rtmp.keys import key_candidates
from stagedoor.sources.rtmp.message import (
    ACKNOWLEDGEMENT,
    AMF3_COMMAND,
    AUDIO,
    USER_CONTROL,
    VIDEO,
    WINDOW_SIZE,
    Message,
)
from stagedoor.sources.rtmp.session import MOST_STREAMS
from tests.support.rtmp_encoder import (
    AVC_CONFIG,
    HANDSHAKE,
    ChunkEncoder,
    answers,
    codes,
    command,
    messages_of,
    metadata,
    opening,
    tags,
)

KEY = "stk_0123456789"


class Talk:
    """A connection and what it answered."""

    def __init__(self) -> None:
        self.connection = Connection(1 << 20)
        self.encoder = ChunkEncoder()
        self.events: list[Event] = []
        self.answered = b""
        self.feed(HANDSHAKE)

    def feed(self, data: bytes) -> None:
        self.events += self.connection.feed(data, 0)
        self.answered += self.connection.take_output()

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.feed(self.encoder.write(message, 3 if message.kind not in (AUDIO, VIDEO) else message.kind))

    def accept(self) -> None:
        self.connection.accept()
        self.feed(b"")

    def begin(self) -> None:
        self.send(*opening(KEY))
        self.accept()


def connected(talk: Talk) -> dict[str, AmfValue]:
    """What the answer to `connect` says about the connection."""
    about = answers(talk.answered)[0][3]
    assert isinstance(about, dict)
    return about


def test_nothing_is_started_before_it_is_accepted() -> None:
    talk = Talk()
    talk.send(*opening(KEY))
    assert talk.events == [PublishAsked("live", KEY, "rtmp://127.0.0.1/live", "FMLE/3.0", ())]
    assert codes(talk.answered) == ["NetConnection.Connect.Success"]
    talk.accept()
    assert codes(talk.answered)[1:] == ["NetStream.Publish.Start"] * 2  # onFCPublish, onStatus


def test_a_refusal_comes_before_any_start() -> None:
    talk = Talk()
    talk.send(*opening(KEY))
    talk.connection.refuse(status.bad_name("No such key."))
    talk.feed(b"")
    assert codes(talk.answered) == ["NetConnection.Connect.Success", "NetStream.Publish.BadName"]


@pytest.mark.parametrize("kind", ["live", "record", "append", ""])
@pytest.mark.parametrize("announce", [True, False])
def test_kinds_of_publishing(kind: str, announce: bool) -> None:
    talk = Talk()
    talk.send(*opening(KEY, kind=kind, announce=announce))
    assert isinstance(talk.events[0], PublishAsked)


def test_release_and_announcement_behind_create_stream() -> None:
    connect, release, announce, create, publish = opening(KEY)
    talk = Talk()
    talk.send(connect, create, release, announce, publish)
    talk.accept()
    assert codes(talk.answered)[-1] == "NetStream.Publish.Start"


def test_a_command_of_amf3() -> None:
    talk = Talk()
    connect, create, publish = opening(KEY, announce=False, about={"objectEncoding": 3.0})
    for message in (connect, create, publish):
        talk.send(message._replace(kind=AMF3_COMMAND, payload=b"\0" + message.payload))
    assert isinstance(talk.events[0], PublishAsked)
    assert connected(talk)["objectEncoding"] == 3.0


def test_codecs_that_an_encoder_of_enhanced_rtmp_names() -> None:
    talk = Talk()
    talk.send(*opening(KEY, about={"fourCcList": ["hvc1", "av01", 7.0], "videoFourCcInfoMap": {"vp09": 1.0}}))
    asked = talk.events[0]
    assert isinstance(asked, PublishAsked)
    assert asked.enhanced == ("hvc1", "av01", "vp09")
    assert connected(talk)["fourCcList"] == ["avc1", "hvc1", "av01", "vp09", "mp4a", "Opus"]


def test_an_encoder_that_names_no_codecs_is_not_sent_any() -> None:
    talk = Talk()
    talk.send(*opening(KEY))
    assert "fourCcList" not in connected(talk)


def test_media_becomes_tags_and_comes_only_when_it_was_accepted() -> None:
    talk = Talk()
    picture = Message(VIDEO, 1, 0, AVC_CONFIG)
    talk.send(*opening(KEY)[:-1], picture, opening(KEY)[-1], metadata({"width": 1280.0}), picture)
    assert len(talk.events) == 1
    talk.accept()
    assert len(talk.events) == 2
    made = talk.events[1]
    assert isinstance(made, Tags)
    assert [(kind, payload[:3]) for kind, _, payload in tags(made.data)] == [(18, b"\2\0\n"), (9, AVC_CONFIG[:3])]


def test_a_second_publish_of_the_same_name_is_answered_and_changes_nothing() -> None:
    talk = Talk()
    talk.begin()
    before = len(talk.events)
    talk.send(command("publish", 6.0, None, KEY, "live", stream=1))
    assert codes(talk.answered)[-1] == "NetStream.Publish.Start"
    talk.send(command("publish", 6.0, None, "another", "live", stream=1))
    assert codes(talk.answered)[-1] == "NetStream.Publish.BadName"
    assert len(talk.events) == before
    talk.send(Message(VIDEO, 1, 0, AVC_CONFIG))
    assert isinstance(talk.events[-1], Tags)


@pytest.mark.parametrize(
    "end",
    [
        command("FCUnpublish", 6.0, None, KEY),
        command("deleteStream", 7.0, None, 1.0),
        command("deleteStream", 7.0, None, 0.0),
        command("closeStream", 0.0, None, stream=1),
        command("publish", 0.0, None, False, stream=1),
    ],
)
def test_the_encoder_ends_its_stream_and_may_begin_another(end: Message) -> None:
    talk = Talk()
    talk.begin()
    talk.send(Message(VIDEO, 1, 40, AVC_CONFIG), end, command("deleteStream", 8.0, None, 1.0))
    assert [type(event) for event in talk.events] == [PublishAsked, Tags, Unpublished]
    talk.send(command("publish", 9.0, None, KEY, "live", stream=1))
    talk.accept()
    talk.send(Message(VIDEO, 1, 40, AVC_CONFIG))
    assert [type(event) for event in talk.events[3:]] == [PublishAsked, Tags]
    again = talk.events[-1]
    assert isinstance(again, Tags)
    assert again.data.startswith(b"FLV")


def test_another_stream_of_the_connection_may_be_deleted() -> None:
    talk = Talk()
    talk.begin()
    talk.send(command("createStream", 8.0, None), command("deleteStream", 9.0, None, 2.0))
    assert not any(isinstance(event, Unpublished) for event in talk.events)


def test_tags_come_before_the_end_that_is_behind_them_in_the_same_bytes() -> None:
    talk = Talk()
    talk.begin()
    picture = talk.encoder.write(Message(VIDEO, 1, 40, AVC_CONFIG), 9)
    talk.feed(picture + talk.encoder.write(command("FCUnpublish", 6.0, None, KEY), 3))
    assert [type(event) for event in talk.events[1:]] == [Tags, Unpublished]


def test_playing_is_refused_with_a_status() -> None:
    talk = Talk()
    talk.send(*opening(KEY)[:-1], command("play", 5.0, None, "stream", stream=1))
    assert codes(talk.answered)[-1] == "NetStream.Play.Failed"
    assert isinstance(talk.events[-1], Closing)


@pytest.mark.parametrize("name", ["_checkbw", "getStreamLength", "releaseStream", "FCPublish", "unheardOf"])
def test_a_call_that_awaits_an_answer_gets_one(name: str) -> None:
    talk = Talk()
    talk.send(opening(KEY)[0], command(name, 77.0, None, "x"))
    assert answers(talk.answered)[-1][:2] == ["_result", 77.0]


def test_a_ping_is_answered_and_bytes_are_acknowledged() -> None:
    talk = Talk()
    talk.begin()
    talk.send(Message(WINDOW_SIZE, 0, 0, (100_000).to_bytes(4, "big")))
    talk.send(Message(USER_CONTROL, 0, 0, b"\0\x06\x01\x02\x03\x04"))
    talk.send(Message(VIDEO, 1, 0, AVC_CONFIG + bytes(120_000)))
    sent = messages_of(talk.answered)
    assert Message(USER_CONTROL, 0, 0, b"\0\x07\x01\x02\x03\x04") in sent
    assert [int.from_bytes(each.payload, "big") > 100_000 for each in sent if each.kind == ACKNOWLEDGEMENT] == [True]


def test_a_codec_that_is_not_taken_ends_the_stream_with_a_sentence() -> None:
    talk = Talk()
    talk.begin()
    talk.send(Message(VIDEO, 1, 0, b"\x90vvc1" + bytes(20)))
    assert codes(talk.answered)[-1] == "NetStream.Publish.Failed"
    closing = talk.events[-1]
    assert isinstance(closing, Closing)
    assert "H.264" in closing.reason


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([command("publish", 1.0, None, KEY)], "bad_order"),
        ([opening(KEY)[0], command(7.0)], "bad_command"),
        ([opening(KEY)[0], Message(20, 0, 0, b"\x02\0\x05ab")], "bad_amf"),
        ([opening(KEY)[0], *[command("createStream", 1.0, None)] * (MOST_STREAMS + 1)], "too_many_streams"),
        ([opening(KEY)[0], Message(VIDEO, 1, 0, bytes(MOST_BEFORE_PUBLISH + 1))], "message_too_big"),
    ],
)
def test_what_is_out_of_order_or_beyond_a_bound(messages: list[Message], code: str) -> None:
    talk = Talk()
    with pytest.raises(ProtocolError) as raised:
        talk.send(*messages)
    assert raised.value.code == code


def test_a_command_of_a_publisher_has_a_bound() -> None:
    talk = Talk()
    talk.begin()
    with pytest.raises(ProtocolError):
        talk.send(command("x" * 70_000, 1.0))


@given(st.lists(st.integers(0, 6_000), max_size=10).map(sorted))
def test_any_pieces_of_a_session_give_the_same(cuts: list[int]) -> None:
    encoder = ChunkEncoder()
    sent = HANDSHAKE + b"".join(
        encoder.write(message, 3)
        for message in (*opening(KEY), Message(VIDEO, 1, 0, AVC_CONFIG), Message(AUDIO, 1, 20, b"\xaf\1" + bytes(900)))
    )
    cuts = [min(cut, len(sent)) for cut in cuts]
    connection = Connection(1 << 20)
    found = b""
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        events = connection.feed(sent[start:end], 0)
        if any(isinstance(event, PublishAsked) for event in events):
            connection.accept()
            events += connection.feed(b"", 0)
        found += b"".join(event.data for event in events if isinstance(event, Tags))
    assert [(kind, len(payload)) for kind, _, payload in tags(found)] == [(9, len(AVC_CONFIG)), (8, 902)]


def test_the_encoder_is_not_sent_its_key_which_it_would_log() -> None:
    talk = Talk()
    talk.begin()
    talk.send(command("publish", 5.0, None, KEY, "live", stream=1), command("deleteStream", 6.0, None, 1.0))
    assert codes(talk.answered)[-1] == "NetStream.Unpublish.Success"
    assert KEY.encode() not in talk.answered


def test_a_client_with_user_and_password_is_asked_for_them_in_the_app_for_it_alone() -> None:
    asked = Talk()
    asked.send(*opening("", "login")[:1])
    (about,) = (values for values in answers(asked.answered) if values[0] == "_error")
    assert isinstance(about[-1], dict)
    assert "code=403 need auth" in str(about[-1]["description"])
    again = Talk()
    again.send(*opening("", f"login?authmod=adobe&user={KEY}"))
    (event,) = again.events
    assert isinstance(event, PublishAsked)
    assert KEY in key_candidates(event.app, event.url, event.stream_name)
