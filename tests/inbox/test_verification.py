"""Our verification against LiveKit's own: both accept the same, whatever was done to a token, a body or a clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api as livekit

from stagedoor.inbox.verify import Keyring, SignatureRefused

KEYS = {"APIone": "the-first-secret-which-is-long-enough", "APItwo": "the-second-secret-which-is-long-enough"}
BODY = b'{"event":"room_started","room":{"name":"live-demo"}}'
KEYRING = Keyring(KEYS)


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def ours(token: str, body: bytes) -> bool:
    try:
        KEYRING.verify(token, None, body, time.time())
    except SignatureRefused:
        return False
    return True


def theirs(token: str, body: bytes) -> bool:
    """LiveKit's receiver holds one key, so there is one for each key."""
    for key, secret in KEYS.items():
        try:
            livekit.WebhookReceiver(livekit.TokenVerifier(key, secret)).receive(body.decode("utf-8"), token)
        except Exception:  # noqa: BLE001 - it lets every error of its libraries through
            continue
        return True
    return False


def encoded(claims: Any, secret: str, **header: Any) -> str:
    return jwt.encode(claims, secret, algorithm="HS256", headers=header or None)


@st.composite
def claim_sets(draw: st.DrawFn) -> dict[str, Any]:
    """Claims that are right, but for what was drawn."""
    now = int(time.time())
    # Nothing within a second of the leeway of 60 s, where the answer depends on when one looks.
    moment = st.sampled_from([-100_000, -300, -70, -50, 0, 50, 70, 300, 100_000])
    claims: dict[str, Any] = {
        "iss": draw(st.sampled_from([*KEYS, *KEYS, *KEYS, "APIthree", "", None])),
        "iat": now + draw(st.one_of(st.just(0), moment)),
        "nbf": now + draw(st.one_of(st.just(0), moment)),
        "exp": now + draw(st.one_of(st.just(300), moment)),
        "sha256": draw(st.sampled_from([digest(BODY)] * 4 + [digest(b""), digest(BODY).rstrip("="), "", "é"])),
    }
    for name in draw(st.sets(st.sampled_from(["iat", "nbf", "sha256", "iss"]), max_size=1)):
        del claims[name]
    return claims


@given(
    claims=claim_sets(), secret=st.sampled_from([*KEYS.values(), *KEYS.values(), "nobody-knows-this-secret-of-nobody"])
)
def test_the_same_claims_are_accepted(claims: dict[str, Any], secret: str) -> None:
    if claims.get("iss", "") is None:
        claims["iss"] = "APIthree"
    token = encoded(claims, secret)
    assert ours(token, BODY) == theirs(token, BODY)


@given(position=st.integers(0, 400), character=st.sampled_from("AbZ09-_.=+/ é\x00"))
def test_a_token_with_another_character_is_another_token(position: int, character: str) -> None:
    now = int(time.time())
    token = encoded({"iss": "APIone", "exp": now + 300, "nbf": now, "sha256": digest(BODY)}, KEYS["APIone"])
    place = position % len(token)
    changed = token[:place] + character + token[place + 1 :]
    assert ours(changed, BODY) == theirs(changed, BODY)


@given(body=st.binary(max_size=40))
def test_only_the_signed_body_is_accepted(body: bytes) -> None:
    now = int(time.time())
    token = encoded({"iss": "APIone", "exp": now + 300, "sha256": digest(BODY)}, KEYS["APIone"])
    assert ours(token, body) == (body == BODY)


@given(token=st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_-]{0,20}(\.[A-Za-z0-9_-]{0,20}){2}")))
def test_anything_else_is_refused_and_never_an_error(token: str) -> None:
    assert not ours(token, BODY)


@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    ),
    claims=st.recursive(
        st.none() | st.floats(allow_nan=True) | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["iss", "exp", "sha256"]), inner),
    ),
)
def test_odd_json_in_a_token_is_refused_and_never_an_error(header: Any, claims: Any) -> None:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    assert not ours(".".join([*parts, "c2ln"]), BODY)


@pytest.mark.parametrize(
    "header",
    [
        *({"b64": False, "crit": ["b64"]}, {"crit": ["exp"]}, {"crit": 5}, {"crit": [5]}, {"crit": None}),
        *({"zip": "DEF"}, {"alg": "none"}, {"alg": "HS512"}, {"alg": ["HS256"]}, {"alg": {}}),
    ],
)
def test_a_header_that_changes_the_rules_is_refused(header: dict[str, Any]) -> None:
    first = base64.urlsafe_b64encode(json.dumps({"alg": "HS256"} | header).encode()).decode().rstrip("=")
    rest = base64.urlsafe_b64encode(json.dumps({"iss": "APIone", "exp": 2**40, "sha256": digest(BODY)}).encode())
    signing = f"{first}.{rest.decode().rstrip('=')}"
    for mac in (hashlib.sha256(signing.encode()), hmac.new(KEYS["APIone"].encode(), signing.encode(), "sha256")):
        encoded_mac = base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")
        assert not ours(f"{signing}.{encoded_mac}", BODY)
    assert not ours(f"{signing}.", BODY)


@pytest.mark.parametrize(("seconds", "accepted"), [(-61, False), (-59, True), (0, True), (359, True), (361, False)])
def test_clocks_may_differ_by_a_minute(seconds: int, accepted: bool) -> None:
    now = 1_800_000_000
    token = encoded({"iss": "APIone", "iat": now, "nbf": now, "exp": now + 300, "sha256": digest(BODY)}, KEYS["APIone"])
    with patch("time.time", return_value=now + seconds):
        assert ours(token, BODY) is accepted


def test_a_token_without_an_end_is_refused() -> None:
    token = encoded({"iss": "APIone", "sha256": digest(BODY)}, KEYS["APIone"])
    assert not ours(token, BODY)


def test_a_digest_is_compared_in_constant_time() -> None:
    """Both schemes compare what was sent with `hmac.compare_digest`."""
    now = int(time.time())
    token = encoded({"iss": "APIone", "exp": now + 300, "sha256": digest(BODY)}, KEYS["APIone"])
    with patch("hmac.compare_digest", return_value=False) as compare:
        assert not ours(token, BODY)
        keyring = Keyring(KEYS, accept_hmac=True)
        with pytest.raises(SignatureRefused):
            keyring.verify(None, "0" * 64, BODY, now)
    assert compare.call_count >= 1 + len(KEYS)


def test_the_plain_hmac_is_off_until_it_is_turned_on() -> None:
    signature = hmac.new(KEYS["APIone"].encode(), BODY, hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRefused):
        KEYRING.precheck(None, signature)
    with pytest.raises(SignatureRefused):
        KEYRING.verify(None, signature, BODY, 0)
    accepting = Keyring(KEYS, accept_hmac=True)
    accepting.precheck(None, signature)
    assert accepting.verify(None, signature, BODY, 0).key_id == "APIone"
    with pytest.raises(SignatureRefused):
        accepting.verify(None, signature, BODY + b" ", 0)
