"""A camera's answers, its challenges, and what FFmpeg is not shown of them."""

from __future__ import annotations

import hashlib
import itertools
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.child.rtsp_messages import Message, NotRtsp, Splitter
from stagedoor.streams.media.child.rtsp_relay import RtspTranslator, clean_description

URL = "rtsp://admin:p%40ss%3Aw%23rd%2F%2541%20%C3%A9@camera.example:8554/live?ch=1"
PASSWORD = "p@ss:w#rd/%41 é"
DESCRIBE = b"DESCRIBE rtsp://127.0.0.1:4000/live?ch=1 RTSP/1.0\r\nCSeq: 2\r\n\r\n"
SESSION = (
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nv=0\n"
    b"$\x00\x00\x05hello"
    b"RTSP/1.0 454 Session Not Found\nCSeq: 3\n\n\0"
    b"$\x01\x00\x00"
    b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n"
)


def translator(url: str = URL) -> RtspTranslator:
    made = RtspTranslator(urlsplit(url), "192.0.2.7")
    made.local = "127.0.0.1:4000"
    return made


def refusal(challenge: str, *more: str) -> bytes:
    lines = ["RTSP/1.0 401 Unauthorized", *(f"WWW-Authenticate: {one}" for one in (challenge, *more)), "", ""]
    return "\r\n".join(lines).encode()


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_any_chunking_of_the_same_bytes_gives_the_same_messages(cuts: list[int]) -> None:
    splitter, found = Splitter(), list[Message | bytes]()
    edges = [0, *sorted(cuts), len(SESSION)]
    for begin, end in itertools.pairwise(edges):
        found += splitter.feed(SESSION[begin:end])
    assert [one if isinstance(one, bytes) else (one.status, one.body) for one in found] == [
        (200, b"v=0\n"),
        b"$\x00\x00\x05hello",
        (454, b""),
        b"$\x01\x00\x00",
        (0, b""),
    ]


@given(
    st.binary(max_size=200).filter(lambda noise: not re.search(rb"\$|RTSP|[A-Z_][ /]|[A-Z_]\Z", noise)),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_bytes_between_media_are_skipped_however_they_come(noise: bytes, sizes: list[int]) -> None:
    media = b"$\x01\x00\x05\x80abcd"
    data, splitter, found = (media + noise) * 3 + media, Splitter(), list[Message | bytes]()
    for size in itertools.cycle(sizes):
        found += splitter.feed(data[:size])
        data = data[size:]
        if not data:
            break
    assert found == [media] * 4


def test_garbage_without_end_is_refused() -> None:
    splitter = Splitter()
    splitter.feed(b"$\x00\x00\x01\x80")
    splitter.feed(bytes(range(128, 256)) * 500)
    with pytest.raises(NotRtsp):
        splitter.feed(bytes(range(128, 256)) * 500)


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x" * 40_000],
)
def test_what_is_no_rtsp_or_has_no_end_is_refused(data: bytes) -> None:
    with pytest.raises(NotRtsp):
        Splitter().feed(data)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_digest_is_answered_with_the_password_as_it_is(algorithm: str) -> None:
    one = translator()
    one.from_client(DESCRIBE)
    challenge = f'Digest realm="IP \\"Cam\\"", nonce="n1", algorithm={algorithm}, qop="auth"'
    to_client, to_camera = one.from_source(refusal(challenge, 'Basic realm="x"'))
    assert to_client == b""
    sent = to_camera.decode()
    assert sent.startswith("DESCRIBE rtsp://camera.example:8554/live?ch=1 RTSP/1.0\r\n")
    fields = dict(re.findall(r'(\w+)="?([^",\r]+)"?', sent[sent.index("Digest ") :]))

    def hashed(text: str) -> str:
        return hashlib.new(algorithm.replace("-", ""), text.encode()).hexdigest()

    first = hashed(f'admin:IP "Cam":{PASSWORD}')
    second = hashed("DESCRIBE:rtsp://camera.example:8554/live?ch=1")
    assert fields["response"] == hashed(f"{first}:n1:{fields['nc']}:{fields['cnonce']}:auth:{second}")


def test_a_password_is_tried_once() -> None:
    one = translator()
    one.from_client(DESCRIBE)
    one.from_source(refusal('Digest realm="a", nonce="n1"'))
    with pytest.raises(StreamFailed) as failed:
        one.from_source(refusal('Digest realm="a", nonce="n2"'))
    assert failed.value.ended().code == "auth_failed"
    assert not failed.value.ended().retry


def test_a_nonce_that_is_good_for_one_request_is_renewed_for_the_next() -> None:
    one = translator()
    for number in range(5):
        one.from_client(DESCRIBE)
        _, again = one.from_source(refusal(f'Digest realm="a", nonce="n{number}"'))
        assert f'nonce="n{number}"'.encode() in again
        answered, _ = one.from_source(b"RTSP/1.0 200 OK\r\n\r\n")
        assert answered.startswith(b"RTSP/1.0 200 OK")
        assert b"CSeq: 2\r\n" in answered


def test_a_login_that_cannot_be_had_is_reported_and_not_tried_as_another() -> None:
    one = translator()
    one.from_client(DESCRIBE)
    with pytest.raises(StreamFailed, match="Digest with SHA-512-256") as failed:
        one.from_source(refusal('Digest realm="a", nonce="n1", algorithm=SHA-512-256'))
    assert failed.value.ended().code == "auth_failed"


def test_a_redirect_is_not_followed_and_its_address_is_reported_without_a_password() -> None:
    one = translator()
    one.from_client(DESCRIBE)
    with pytest.raises(StreamFailed, match=r"redirects to 10\.0\.0\.1/x;") as failed:
        one.from_source(b"RTSP/1.0 302 Moved\r\nLocation: rtsp://u:secret@10.0.0.1/x\r\n\r\n")
    assert "secret" not in failed.value.ended().message


def test_media_by_udp_comes_from_the_checked_address_alone() -> None:
    one = translator()
    one.from_client(b"SETUP rtsp://127.0.0.1:4000/live RTSP/1.0\r\nCSeq: 3\r\n\r\n")
    answer = b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;source=10.9.9.9;server_port=6000-6001\r\n\r\n"
    to_client, _ = one.from_source(answer)
    assert b"10.9.9.9" not in to_client
    assert b";source=192.0.2.7" in to_client


def test_parameter_sets_that_are_none_are_left_out_of_a_description() -> None:
    good = b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==;x=1\r\n"
    assert clean_description(good) == good
    for bad in (b"AAAA,aMuMsg==", b"%%%", b"", b"Z0LAHtkDxWhAAAADAEAAAAwDxYu"):
        cleaned = clean_description(b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" + bad + b";x=1\r\n\0")
        assert cleaned == b"a=fmtp:96 packetization-mode=1;x=1\r\n"
