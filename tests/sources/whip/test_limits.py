"""The limits of an app for what comes by WHIP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import Video
from stagedoor.sources.whip.limits import exceeded, limited

ANSWER = (
    b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
)


def app(**settings: Any) -> Any:
    """An app with these settings."""
    found = IngressSettings(**settings)

    def of(_: object) -> IngressSettings:
        return found

    return cast("Any", SimpleNamespace(settings=SimpleNamespace(of=of)))


@pytest.mark.parametrize(
    ("video", "named"),
    [
        (Video("vp8", width=1281, height=720), "ingressMaxWidth allows 1280"),
        (Video("vp8", width=1280, height=721), "ingressMaxHeight allows 720"),
        (Video("vp8", width=1280, height=720), None),
        (Video("vp8"), None),
        (None, None),
    ],
)
def test_the_limit_that_is_met_is_named(video: Video | None, named: str | None) -> None:
    said = exceeded(video, app(max_width=1_280, max_height=720))
    assert (said is None) == (named is None)
    assert (named or "") in (said or "")


def test_the_answer_says_the_bitrate_in_the_video_section() -> None:
    """After the section's own connection line, where RFC 8866 has it."""
    section = b"c=IN IP4 0.0.0.0\r\nb=TIAS:900000\r\na=mid:1\r\n"
    said = limited(ANSWER, app(max_bitrate=900_000))
    assert said == ANSWER[: ANSWER.index(b"c=IN", ANSWER.index(b"m=video"))] + section


@pytest.mark.parametrize("bits", [0, IngressSettings().max_bitrate])
def test_without_a_limit_of_the_app_the_answer_is_livekits(bits: int) -> None:
    assert limited(ANSWER, app(max_bitrate=bits)) == ANSWER
