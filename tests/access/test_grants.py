"""Grants: what a token allows, as pure policy, and that the JWT says exactly that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api

from stagedoor.access.grants import SOURCES, JoinRequest, RoomConfig, decide
from stagedoor.access.mint import mint
from stagedoor.access.settings import DEFAULT_TTL
from stagedoor.kernel.errors import Invalid
from stagedoor.kernel.texts import shows_nothing
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.token_settings import TokenSettings

APP = App("app_1", "org_1", "live", "Live", 0, 0)
KEY, SECRET = "APIkey", "a-secret-of-at-least-thirty-two-characters"
LIVEKIT = Endpoint("http://127.0.0.1:7880", "ws://127.0.0.1:7880", KEY, SECRET)
_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
_visible = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=40)
_identities = _visible.filter(lambda text: not shows_nothing(text) and text not in {".", ".."})


def test_what_is_left_out_is_the_default() -> None:
    grant = decide(APP, JoinRequest(room="demo"))
    assert grant.livekit_room == "live-demo"
    assert grant.identity.startswith("anon-")
    assert (grant.can_publish, grant.can_subscribe, grant.can_publish_data) == (True, True, True)
    assert grant.can_publish_sources is None
    assert grant.ttl == DEFAULT_TTL
    assert grant.hidden is False


def test_two_without_an_identity_are_two_people() -> None:
    assert decide(APP, JoinRequest(room="demo")).identity != decide(APP, JoinRequest(room="demo")).identity


@pytest.mark.parametrize("room", ["demo", "live-demo"])
def test_a_room_by_either_name(room: str) -> None:
    assert decide(APP, JoinRequest(room=room)).livekit_room == "live-demo"


@pytest.mark.parametrize("room", ["", "live-", "live-live-demo", "a/b", "-a", " a", "a b", "ä", "x" * 129])
def test_a_new_room_has_a_plain_name(room: str) -> None:
    with pytest.raises(Invalid):
        decide(APP, JoinRequest(room=room))


def test_a_hidden_one_watches_unless_it_asks_to_publish() -> None:
    assert decide(APP, JoinRequest(room="demo", hidden=True)).can_publish is False
    assert decide(APP, JoinRequest(room="demo", hidden=True, can_publish=True)).can_publish is True


def test_audio_only() -> None:
    assert decide(APP, JoinRequest(room="demo", audio_only=True)).can_publish_sources == ("microphone",)
    both = ("microphone", "screen_share_audio")
    asked = JoinRequest(room="demo", audio_only=True, can_publish_sources=both)
    assert decide(APP, asked).can_publish_sources == both
    with pytest.raises(Invalid, match="contradict"):
        decide(APP, replace(asked, can_publish_sources=("camera",)))


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(Invalid, match="telescope"):
        decide(APP, JoinRequest(room="demo", can_publish_sources=("telescope",)))


@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3_600), ("1d", 86_400), (61, 61)])
def test_ttl(ttl: str | int, seconds: int) -> None:
    assert decide(APP, JoinRequest(room="demo", ttl=ttl)).ttl == seconds


@pytest.mark.parametrize("ttl", ["", "soon", 0, -1, "0s", "604801s", "8d", 604_801])
def test_ttl_that_is_no_duration_or_too_long(ttl: str | int) -> None:
    with pytest.raises(Invalid, match="ttl"):
        decide(APP, JoinRequest(room="demo", ttl=ttl))


def test_the_app_sets_the_longest_ttl() -> None:
    short = replace(APP, settings=AppSettings(TokenSettings(max_token_ttl=60)))
    assert decide(short, JoinRequest(room="demo")).ttl == 60
    with pytest.raises(Invalid) as refused:
        decide(short, JoinRequest(room="demo", ttl="61s"))
    assert refused.value.code == "ttl_too_long"
    assert refused.value.extra == {"maxTtl": "1m"}


@given(
    st.builds(
        JoinRequest,
        room=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,20}", fullmatch=True).filter(
            lambda room: not room.startswith("live-")
        ),
        identity=_identities,
        name=st.none() | _text.filter(lambda text: not text or not shows_nothing(text)),
        can_publish=st.none() | st.booleans(),
        can_subscribe=st.booleans(),
        can_publish_data=st.booleans(),
        can_publish_sources=st.none() | st.lists(st.sampled_from(SOURCES), unique=True, min_size=1).map(tuple),
        ttl=st.none() | st.integers(1, 86_400),
        metadata=st.none() | _text,
        attributes=st.dictionaries(_text.filter(bool), _text, max_size=3),
        hidden=st.booleans(),
    )
)
def test_the_token_says_what_was_granted(request: JoinRequest) -> None:
    """LiveKit's own verifier reads the token as the grant meant it."""
    grant = decide(APP, request)
    claims = api.TokenVerifier(KEY, SECRET).verify(mint(LIVEKIT, grant))
    video = claims.video
    assert video is not None
    assert video.room_join is True
    assert video.room == grant.livekit_room == f"live-{request.room}"
    assert claims.identity == grant.identity
    assert claims.name == (grant.name or "")
    assert claims.metadata == (grant.metadata or "")
    assert dict(claims.attributes or {}) == dict(grant.attributes)
    assert video.can_publish is grant.can_publish
    assert video.can_subscribe is grant.can_subscribe
    assert video.can_publish_data is grant.can_publish_data
    assert tuple(video.can_publish_sources or ()) == (grant.can_publish_sources or ())
    assert bool(video.hidden) is grant.hidden
    for never in (video.room_admin, video.room_create, video.room_list, video.room_record, video.ingress_admin):
        assert not never


def test_the_rooms_configuration_travels_in_the_token() -> None:
    config = RoomConfig(empty_timeout=30, max_participants=2, metadata="{}", agents=(("helper", "be kind"),))
    grant = decide(APP, JoinRequest(room="demo", room_config=config))
    claims = api.TokenVerifier(KEY, SECRET).verify(mint(LIVEKIT, grant))
    assert claims.room_config is not None
    assert claims.room_config.empty_timeout == 30
    assert claims.room_config.max_participants == 2
    assert [agent.agent_name for agent in claims.room_config.agents] == ["helper"]
