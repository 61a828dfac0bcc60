"""A minted token says what was granted and nothing else, as LiveKit's own verifier reads it."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api as livekit

from stagedoor.access.grants import SOURCES, Grant, JoinRequest, RoomConfig, decide, under_plan
from stagedoor.access.mint import mint, warning_of
from stagedoor.access.settings import DEFAULT_TTL
from stagedoor.kernel.errors import Invalid
from stagedoor.kernel.texts import shows_nothing
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.rooms.nouns import Plan
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.token_settings import TokenSettings

KEY, SECRET = "APItest", "a-secret-for-tests-that-is-long-enough"
LIVEKIT = Endpoint("http://127.0.0.1:7880", "ws://127.0.0.1:7880", KEY, SECRET)
APP = App("app_x", "org_x", "live", "Live", 0, 0, AppSettings(TokenSettings(max_token_ttl=86_400)))

visible_texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
optional_texts = st.none() | texts
room_configs = st.builds(
    RoomConfig,
    empty_timeout=st.none() | st.integers(0, 100_000),
    departure_timeout=st.none() | st.integers(0, 100_000),
    max_participants=st.none() | st.integers(0, 1000),
    metadata=optional_texts,
    min_playout_delay=st.none() | st.integers(0, 60_000),
    max_playout_delay=st.none() | st.integers(0, 60_000),
    sync_streams=st.none() | st.booleans(),
    agents=st.lists(st.tuples(texts.filter(bool), texts), max_size=2).map(tuple),
)
requests = st.builds(
    JoinRequest,
    room=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._~-]{0,20}\Z"),
    identity=st.none() | visible_texts.filter(lambda text: not shows_nothing(text) and text not in {".", ".."}),
    name=st.none() | texts.filter(lambda text: not text or not shows_nothing(text)),
    can_publish=st.none() | st.booleans(),
    can_subscribe=st.booleans(),
    can_publish_data=st.booleans(),
    can_publish_sources=st.none() | st.lists(st.sampled_from(SOURCES), unique=True).map(tuple),
    ttl=st.none() | st.integers(1, 86_400) | st.sampled_from(["90s", "10m", "1h", "1d"]),
    metadata=optional_texts,
    attributes=st.dictionaries(texts, texts, max_size=3),
    hidden=st.booleans(),
    audio_only=st.booleans(),
    room_config=st.none() | room_configs,
)


@given(request=requests)
def test_livekit_reads_what_was_granted(request: JoinRequest) -> None:
    try:
        grant = decide(APP, request)
    except Invalid as problem:
        refused = problem.code
    else:
        refused = None
        check(request, grant)
    video_sources = set(request.can_publish_sources or ()) & {"camera", "screen_share"}
    contradicts = request.audio_only and bool(video_sources)
    contradicts |= request.can_publish is True and request.can_publish_sources == ()
    twice = request.room.startswith("live-live-") or request.room == "live-"
    assert (refused is not None) == (contradicts or twice)


def check(request: JoinRequest, grant: Grant) -> None:
    """Mint the grant, and compare what LiveKit reads with what was asked for."""
    before = int(time.time())
    claims = livekit.TokenVerifier(KEY, SECRET).verify(mint(LIVEKIT, grant))
    video = claims.video
    assert video is not None
    assert (video.room_join, video.room) == (True, grant.livekit_room)
    assert grant.livekit_room.startswith("live-")
    assert (video.can_publish, video.can_subscribe) == (grant.can_publish, request.can_subscribe)
    assert video.can_publish_data == request.can_publish_data
    assert tuple(video.can_publish_sources or ()) == (grant.can_publish_sources or ())
    assert bool(video.hidden) == request.hidden
    assert claims.identity == grant.identity == (request.identity or grant.identity)
    assert claims.name == (request.name or "")
    assert claims.metadata == (request.metadata or "")
    assert (claims.attributes or {}) == request.attributes
    # Nothing of the powers that a person in a room does not have.
    for power in ("room_create", "room_list", "room_admin", "room_record", "ingress_admin", "recorder", "agent"):
        assert not getattr(video, power, None), power
    assert claims.sip is None or not (claims.sip.admin or claims.sip.call)
    _same_config(claims.room_config, request.room_config)
    assert before <= claims_end(mint(LIVEKIT, grant)) - grant.ttl <= before + 2


def claims_end(token: str) -> int:
    return int(jwt.decode(token, SECRET, algorithms=["HS256"])["exp"])


def _same_config(got: Any, asked: RoomConfig | None) -> None:
    if asked is None:
        return
    if got is None:  # LiveKit's library writes no message without values
        assert not any(getattr(asked, field.name) for field in fields(asked))
        return
    assert got.empty_timeout == (asked.empty_timeout or 0)
    assert got.departure_timeout == (asked.departure_timeout or 0)
    assert got.max_participants == (asked.max_participants or 0)
    assert got.metadata == (asked.metadata or "")
    assert [(agent.agent_name, agent.metadata) for agent in got.agents] == list(asked.agents)
    assert not got.HasField("egress")


def grant_of(**asked: Any) -> Grant:
    return decide(APP, JoinRequest("demo", **asked))


def test_who_asks_for_nothing_may_watch_and_publish_for_an_hour() -> None:
    grant = grant_of()
    assert (grant.can_publish, grant.can_subscribe, grant.can_publish_data) == (True, True, True)
    assert (grant.ttl, grant.hidden, grant.can_publish_sources) == (DEFAULT_TTL, False, None)


@pytest.mark.parametrize(
    ("hidden", "asked", "publishes"),
    [(True, None, False), (True, True, True), (False, None, True), (False, False, False)],
)
def test_who_is_hidden_publishes_only_when_it_was_asked_for(
    *, hidden: bool, asked: bool | None, publishes: bool
) -> None:
    assert grant_of(hidden=hidden, can_publish=asked).can_publish is publishes


def test_sound_only() -> None:
    assert grant_of(audio_only=True).can_publish_sources == ("microphone",)
    shared = grant_of(audio_only=True, can_publish_sources=("screen_share_audio",))
    assert shared.can_publish_sources == ("screen_share_audio",)
    for source in ("camera", "screen_share"):
        with pytest.raises(Invalid):
            grant_of(audio_only=True, can_publish_sources=("microphone", source))


def test_who_may_not_publish_has_no_sources() -> None:
    assert grant_of(can_publish=False, can_publish_sources=("camera",)).can_publish_sources is None


@pytest.mark.parametrize("source", ["", "CAMERA", "kitchen", "unknown"])
def test_a_source_is_one_of_livekits(source: str) -> None:
    with pytest.raises(Invalid):
        grant_of(can_publish_sources=(source,))


@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600), ("1d", 86_400), (5, 5)])
def test_forms_of_ttl(ttl: str | int, seconds: int) -> None:
    assert grant_of(ttl=ttl).ttl == seconds


@pytest.mark.parametrize("ttl", ["2d", 86_401, "0s", 0, -1, "", "h", "1.5h", "1 h", True, "99999999999d"])
def test_a_ttl_beyond_the_app_or_of_no_form(ttl: str | int) -> None:
    with pytest.raises(Invalid):
        grant_of(ttl=ttl)


@given(limit=st.integers(1, 30 * 86_400), ttl=st.none() | st.integers(1, 60 * 86_400))
def test_no_token_lives_longer_than_the_app_allows(limit: int, ttl: int | None) -> None:
    app = App("app_x", "org_x", "live", "Live", 0, 0, AppSettings(TokenSettings(max_token_ttl=limit)))
    try:
        grant = decide(app, JoinRequest("demo", ttl=ttl))
    except Invalid:
        assert ttl is not None
        assert ttl > limit
    else:
        assert grant.ttl <= limit
        assert ttl in {None, grant.ttl}


@pytest.mark.parametrize("audio_only", [False, True])
def test_no_sources_means_that_nothing_is_published(*, audio_only: bool) -> None:
    """LiveKit takes an empty list in a token for all sources."""
    grant = grant_of(can_publish_sources=(), audio_only=audio_only)
    assert (grant.can_publish, grant.can_publish_sources) == (False, None)
    with pytest.raises(Invalid, match="contradict"):
        grant_of(can_publish=True, can_publish_sources=(), audio_only=audio_only)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [({"k" * 36: "v" * 65_500}, 65_536), ({"k" * 37: "v" * 65_500}, 65_537), ({"ä": "é" * 32_767}, 65_536)],
)
def test_attributes_are_bounded_in_sum_and_in_bytes(attributes: dict[str, str], size: int) -> None:
    if size <= 65_536:
        assert grant_of(attributes=attributes).attributes == attributes
    else:
        with pytest.raises(Invalid, match=f"{size} bytes in UTF-8 together; 65536 is the most"):
            grant_of(attributes=attributes)


def test_our_own_attribute_counts_among_them() -> None:
    room = f"{17 * 'k'}"
    plan = Plan(f"ses_{'0' * 26}", "video", "", (), None, None, None, None, 0, 0, None)
    fits = {room: "v" * (65_536 - 17 - 17 - 30)}
    token = mint(LIVEKIT, under_plan(grant_of(attributes=fits), plan))
    assert set(livekit.TokenVerifier(KEY, SECRET).verify(token).attributes or {}) == {room, "stagedoor.session"}
    with pytest.raises(Invalid, match="65490 bytes in UTF-8 together; 65489 is the most"):
        under_plan(grant_of(attributes={room: fits[room] + "v"}), plan)


def test_a_token_that_livekit_would_not_read_is_not_minted() -> None:
    agents = tuple((f"agent-{number}", "m" * 60_000) for number in range(15))
    with pytest.raises(Invalid) as refused:
        mint(LIVEKIT, grant_of(room_config=RoomConfig(agents=agents)))
    assert (refused.value.code, refused.value.extra) == ("token_too_large", {"limit": 1_000_000})


def test_a_token_that_is_long_for_a_url_comes_with_a_warning() -> None:
    assert warning_of(mint(LIVEKIT, grant_of(metadata="m" * 4_000))) is None
    token = mint(LIVEKIT, grant_of(metadata="m" * 6_100))
    assert f"{len(token)} bytes" in (warning_of(token) or "")
