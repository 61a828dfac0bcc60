"""Offers, answers and fragments: what is accepted, what is refused, and what LiveKit gets to see of them."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.whip.sdp import (
    MalformedSdp,
    SessionDescription,
    UnacceptableOffer,
    check_answer,
    check_offer,
    livekit_fragment,
    parse_description,
    parse_fragment,
)

HEAD: Final = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
ICE: Final = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
AUDIO: Final = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
VIDEO: Final = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\na=sendonly\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 rtx/90000\r\n"
)
BUNDLE: Final = "a=group:BUNDLE 0 1\r\na=fingerprint:sha-256 AA:BB\r\n"
CANDIDATE: Final = "a=candidate:1 1 udp 2122194687 192.0.2.2 45328 typ host\r\n"
OFFER: Final = HEAD + BUNDLE + ICE + AUDIO + CANDIDATE + VIDEO + CANDIDATE + "a=end-of-candidates\r\n"


def described(text: str) -> SessionDescription:
    return parse_description(text.encode())


def test_an_offer_of_audio_and_video_is_accepted() -> None:
    offer = described(OFFER)
    check_offer(offer)
    assert [(section.kind, section.direction, section.codecs) for section in offer.media] == [
        ("audio", "sendonly", ["opus"]),
        ("video", "sendonly", ["H264"]),
    ]
    assert (offer.ice_ufrag, offer.mid) == ("abcd", "0")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_livekit_gets_an_offer_with_crlf_and_without_candidates(line_end: str) -> None:
    offer = described(OFFER.replace("\r\n", line_end))
    assert offer.text == HEAD + BUNDLE + ICE + AUDIO + VIDEO
    assert offer.candidates == ("1 1 udp 2122194687 192.0.2.2 45328 typ host",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + BUNDLE + ICE + VIDEO + VIDEO.replace("mid:1", "mid:2"), "2 video sections"),
        (HEAD + BUNDLE + ICE + AUDIO.replace("sendonly", "recvonly"), "audio is recvonly"),
        (HEAD + BUNDLE + ICE + VIDEO.replace("sendonly", "inactive"), "video is inactive"),
        (HEAD + "a=inactive\r\n" + BUNDLE + ICE + VIDEO.replace("a=sendonly\r\n", ""), "video is inactive"),
        (HEAD + BUNDLE + ICE + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "no audio and no video"),
        (HEAD + ICE + AUDIO, "no bundle"),
        (HEAD + BUNDLE + AUDIO, "no ICE credentials"),
        (OFFER.replace("a=fingerprint:sha-256 AA:BB\r\n", ""), "no DTLS fingerprint"),
        (OFFER.replace("H264", "H266"), r"no video of the codecs that were offered \(H266\)"),
    ],
)
def test_an_offer_that_cannot_be_met_whole_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnacceptableOffer, match=reason):
        check_offer(described(text))


def test_an_offer_to_send_and_receive_is_accepted() -> None:
    """RFC 9725, section 4.2: a client may say sendrecv, which is also what no direction means."""
    check_offer(described(OFFER.replace("sendonly", "sendrecv")))
    check_offer(described(OFFER.replace("a=sendonly\r\n", "")))


def test_an_answer_that_rejects_a_section_is_no_success() -> None:
    offer = described(OFFER)
    answer = OFFER.replace("sendonly", "recvonly")
    check_answer(offer, described(answer))
    with pytest.raises(UnacceptableOffer, match=r"takes no video of the codecs that were offered \(H264\)"):
        check_answer(offer, described(answer.replace("m=video 9", "m=video 0")))


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"v=0\r\n", b"\xff\xfe", b"v=0\r\nm=audio x\r\n", HEAD.encode() + b"m=video 9 RTP\x00 1\r\n"],
)
def test_what_is_not_sdp_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedSdp):
        parse_description(body)


def test_a_fragment_reaches_livekit_in_one_section_whatever_its_form() -> None:
    wanted = (
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
        "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=candidate:2 1 udp 1 192.0.2.1 2 typ host\r\n"
    )
    first, second = wanted.split("\r\n")[4:6]
    at_session_level = f"{ICE}m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{first}\r\n{second}\r\na=end-of-candidates\r\n"
    in_each_section = (
        f"m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{ICE}{first}\r\nm=video 9 RTP/AVP 0\r\na=mid:1\r\n{ICE}{second}\r\n"
    )
    without_section = f"{ICE}{first}\n{second}\n"
    for form in (at_session_level, in_each_section, without_section):
        assert livekit_fragment(parse_fragment(form.encode()), "0", candidates=True) == wanted
    restart = livekit_fragment(parse_fragment(ICE.encode()), "0", candidates=False)
    assert "candidate" not in restart


def test_a_fragment_without_credentials_is_refused() -> None:
    with pytest.raises(MalformedSdp, match="ICE credentials"):
        parse_fragment(CANDIDATE.encode())


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: (OFFER + text).encode()))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    for parse in (parse_description, parse_fragment):
        try:
            parsed = parse(body)
        except MalformedSdp:
            continue
        assert "a=candidate" not in parsed.text


@given(st.integers(0, len(OFFER)), st.integers(0, len(OFFER)))
def test_a_cut_offer_is_parsed_or_refused_with_a_sentence(start: int, end: int) -> None:
    refused = _refusal((OFFER[:start] + OFFER[end:]).encode())
    assert refused is None or refused.endswith(".")


def _refusal(body: bytes) -> str | None:
    try:
        check_offer(parse_description(body))
    except (MalformedSdp, UnacceptableOffer) as refused:
        return str(refused)
    return None
