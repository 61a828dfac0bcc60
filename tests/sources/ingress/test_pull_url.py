"""The URLs that can be pulled, and how they are shown."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.errors import Invalid
from stagedoor.sources.ingress.pull_url import LONGEST_URL, SCHEMES, check_url, masked

secret_texts = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=6, max_size=20)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "unknown_scheme"),
        ("concat:a|b", "unknown_scheme"),
        ("subfile,,start,0,end,9,,:http://x/", "unknown_scheme"),
        ("ftp://host/x", "unknown_scheme"),
        ("camera.example.com/stream", "unknown_scheme"),
        ("rtsp://", "bad_url"),
        ("rtsp:///stream", "bad_url"),
        ("rtsp://host:99999/", "bad_url"),
        ("rtsp://[::1/", "bad_url"),
        ("rtsp://host/a b", "bad_url"),
        ("rtsp://host/a\nb", "bad_url"),
        (f"http://host/{'x' * LONGEST_URL}", "bad_url"),
    ],
)
def test_what_cannot_be_pulled_is_refused(url: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/etc/passwd", "has no scheme; begin with rtsp, "),
        ("camera:554/stream", "has no scheme"),
        ("192.168.1.64:554/stream", "has no scheme"),
        ("C:\\films\\one.mp4", "has no scheme"),
        ("srt://host:9000", "scheme srt is not one that is pulled; begin with rtsp, "),
        ("rtsp:/stream", "names no host; write it as rtsp://camera.example.com/stream"),
        ("rtsp://host:99999/", "port cannot be read; write it as rtsp://camera.example.com:554/stream"),
    ],
)
def test_the_error_says_what_to_write_instead(url: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url)
    assert words in refused.value.detail


@pytest.mark.parametrize("scheme", [*SCHEMES, "RTSP"])
def test_the_schemes_that_can_be_pulled_are_taken(scheme: str) -> None:
    check_url(f"{scheme}://user:p%40ss@camera.example.com:554/h264/ch1?subtype=0")


@given(secret_texts, secret_texts, secret_texts)
def test_no_credential_is_shown(user: str, password: str, token: str) -> None:
    marked = [f"u-{quote(user, safe='')}-u", f"p-{quote(password, safe='')}-p", f"t-{quote(token, safe='')}-t"]
    url = f"rtsp://{marked[0]}:{marked[1]}@camera.example.com:554/live?token={marked[2]}&{marked[2]}"
    shown = masked(url)
    for part, raw in zip(marked, (user, password, token), strict=True):
        assert part not in shown
        assert f"-{raw}-" not in shown
    assert urlsplit(shown).hostname == "camera.example.com"
    assert shown.startswith("rtsp://***@camera.example.com:554/live?token=***&***")


def test_a_password_that_was_not_escaped_is_hidden_as_a_whole() -> None:
    assert masked("rtsp://admin:p@ss@10.0.0.9/1") == "rtsp://***@10.0.0.9/1"
