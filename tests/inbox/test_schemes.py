"""Whose signatures count: several keys at once, and the plain HMAC only where it was turned on."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from tests.inbox.conftest import SECOND_KEY, THIRD_KEY
from tests.support.api_webhook import Sender, room_event, signed
from tests.support.product import Api


def mac(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("key", "secret"), [SECOND_KEY, THIRD_KEY], ids=["second", "third"])
async def test_further_keys_count_beside_the_own_one(send_tuned: Sender, tuned_api: Api, key: str, secret: str) -> None:
    body = room_event("room_started", "live-keys")
    raw = json.dumps(body).encode()
    assert (await send_tuned.raw(raw, Authorization=signed(key, secret, raw)))[0] == 200
    assert (await tuned_api("GET", f"/inbox/{body['id']}"))["data"]["key"] == key
    assert await send_tuned(room_event("room_started", "live-keys")) == 200


async def test_one_keys_secret_does_not_sign_for_another(send_tuned: Sender) -> None:
    raw = json.dumps(room_event("room_started", "live-keys")).encode()
    crossed = signed(SECOND_KEY[0], THIRD_KEY[1], raw)
    assert await send_tuned.raw(raw, Authorization=crossed) == (401, "bad_signature")


async def test_the_plain_hmac_counts_only_where_it_was_turned_on(
    send: Sender, send_tuned: Sender, tuned_api: Api
) -> None:
    body = room_event("room_finished", "live-hmac")
    raw = json.dumps(body).encode()
    header = {"X_LiveKit_Signature": mac(send.secret, raw)}
    assert await send.raw(raw, **header) == (401, "bad_signature")
    header = {"X_LiveKit_Signature": mac(send_tuned.secret, raw)}
    assert (await send_tuned.raw(raw, **header))[0] == 200
    assert (await tuned_api("GET", f"/inbox/{body['id']}"))["data"]["scheme"] == "hmac"


@pytest.mark.parametrize("signature", ["", "0" * 64, "zz", "Ã¼", "sha256="])
async def test_a_wrong_hmac_is_refused(send_tuned: Sender, signature: str) -> None:
    raw = json.dumps(room_event("room_finished", "live-hmac")).encode()
    assert await send_tuned.raw(raw, X_LiveKit_Signature=signature) == (401, "bad_signature")
    other = mac(send_tuned.secret, raw + b" ")
    assert await send_tuned.raw(raw, X_LiveKit_Signature=other) == (401, "bad_signature")


async def test_a_right_hmac_does_not_make_a_wrong_jwt_good(send_tuned: Sender) -> None:
    raw = json.dumps(room_event("room_finished", "live-hmac")).encode()
    headers = {"Authorization": "x.y.z", "X_LiveKit_Signature": mac(send_tuned.secret, raw)}
    assert await send_tuned.raw(raw, **headers) == (401, "bad_signature")


async def test_the_same_body_without_an_id_is_the_same_event(send_tuned: Sender, tuned_api: Api) -> None:
    body = room_event("room_started", "live-noid")
    del body["id"]
    raw = json.dumps(body).encode()
    for _ in range(2):
        assert (await send_tuned.raw(raw, X_LiveKit_Signature=mac(send_tuned.secret, raw)))[0] == 200
    listed = (await tuned_api("GET", "/inbox?room=live-noid"))["data"]
    assert [event["id"] for event in listed] == [f"sha256:{hashlib.sha256(raw).hexdigest()}"]
