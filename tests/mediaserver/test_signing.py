"""Access tokens are those that LiveKit's own library makes, claim for claim."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api
from livekit.protocol import agent_dispatch, room

from stagedoor.kernel.jwt import decoded
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.signing import access_token

ENDPOINT = Endpoint(
    "http://127.0.0.1:7880", "ws://127.0.0.1:7880", "APIkey", "a-secret-that-is-long-enough-for-livekit"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MAYBE = st.none() | st.booleans()


def claims_of(token: str) -> dict[str, Any]:
    header, claims, _ = token.split(".")
    assert json.loads(decoded(header.encode())) == {"alg": "HS256", "typ": "JWT"}
    found: dict[str, Any] = json.loads(decoded(claims.encode()))
    return found


@st.composite
def asked(draw: st.DrawFn) -> dict[str, Any]:
    grants = api.VideoGrants(
        room_join=draw(MAYBE),
        room=draw(TEXT.filter(bool)),
        room_admin=draw(MAYBE),
        can_publish=draw(st.booleans()),
        can_subscribe=draw(st.booleans()),
        can_publish_data=draw(st.booleans()),
        can_publish_sources=draw(st.none() | st.lists(st.sampled_from(["camera", "microphone"]), max_size=2)),
        hidden=draw(MAYBE),
        agent=draw(MAYBE),
    )
    config = room.RoomConfiguration(empty_timeout=draw(st.integers(0, 9)), metadata=draw(TEXT))
    config.agents.append(agent_dispatch.RoomAgentDispatch(agent_name="helper", metadata=draw(TEXT)))
    return {
        "grants": grants,
        "ttl": draw(st.integers(1, 10_000)),
        "identity": draw(TEXT.filter(bool)),
        "name": draw(st.none() | TEXT),
        "kind": draw(st.none() | st.just("agent")),
        "metadata": draw(st.none() | TEXT),
        "attributes": draw(st.none() | st.dictionaries(TEXT, TEXT, max_size=3)),
        "room_config": draw(st.none() | st.just(config)),
    }


def theirs(given: dict[str, Any]) -> str:
    token = api.AccessToken(ENDPOINT.api_key, ENDPOINT.api_secret).with_ttl(timedelta(seconds=given["ttl"]))
    token = token.with_grants(given["grants"]).with_identity(given["identity"])
    if given["name"] is not None:
        token = token.with_name(given["name"])
    if given["kind"] is not None:
        token = token.with_kind(given["kind"])
    if given["metadata"] is not None:
        token = token.with_metadata(given["metadata"])
    if given["attributes"]:
        token = token.with_attributes(given["attributes"])
    if given["room_config"] is not None:
        token = token.with_room_config(given["room_config"])
    return token.to_jwt()


@given(asked())
def test_the_claims_are_those_of_livekits_library(given: dict[str, Any]) -> None:
    ours = claims_of(access_token(ENDPOINT, **given))
    expected = claims_of(theirs(given))
    for moment in ("nbf", "exp"):
        assert abs(ours.pop(moment) - expected.pop(moment)) <= 5
    assert ours == expected


@given(asked())
def test_livekits_library_accepts_them(given: dict[str, Any]) -> None:
    token = access_token(ENDPOINT, **given)
    claims = api.TokenVerifier(ENDPOINT.api_key, ENDPOINT.api_secret).verify(token)
    assert claims.identity == given["identity"]
    with pytest.raises(Exception, match="ignature"):
        api.TokenVerifier(ENDPOINT.api_key, "another-secret-that-is-long-enough-too").verify(token)


def test_a_token_ends_when_it_is_asked_to() -> None:
    claims = claims_of(access_token(ENDPOINT, api.VideoGrants(room="live-demo"), 90))
    assert claims["exp"] - claims["nbf"] == 90
    assert abs(claims["nbf"] - time.time()) < 60


@pytest.mark.parametrize(("room", "identity"), [("", "ada"), ("live-demo", ""), ("live-demo", None)])
def test_a_token_that_joins_says_who_and_where(room: str, identity: str | None) -> None:
    with pytest.raises(ValueError, match="names the identity and the room"):
        access_token(ENDPOINT, api.VideoGrants(room_join=True, room=room), 60, identity=identity)
