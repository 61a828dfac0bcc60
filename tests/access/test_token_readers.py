"""Whatever a token holds, its readers accept or refuse it and raise nothing else: links and LiveKit's webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Final

import aiohttp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stagedoor.access.links import LinkSigner
from stagedoor.inbox.verify import Keyring, SignatureRefused
from tests.support.product import RunningProduct

SECRET: Final = "a-secret-that-signs-links-and-is-long-enough"
KEY: Final = "APIkey"
BODY: Final = b'{"event":"room_started"}'

# RFC 7515 §4.1, RFC 7516 §4.1, RFC 7518, RFC 7519 §5.3, RFC 7797, RFC 8225, RFC 8555, and what libraries read besides.
FIELDS: Final = (
    *("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc", "zip", "epk", "apu"),
    *("apv", "iv", "tag", "p2s", "p2c", "iss", "sub", "aud", "b64", "ppt", "url", "nonce", "svt", "exp", "nbf", "iat"),
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(FIELDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
HEADERS: Final = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
ODD: Final[tuple[Any, ...]] = (5, [5], [], {}, None, True, "exp", ["exp"], ["b64"], [["b64"]], 1e400, "\x00")


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(header: Any, claims: Any, secret: str | None) -> str:
    """Signed with HS256, whatever its header states, or not signed."""
    text = f"{encoded(header)}.{encoded(claims)}"
    if secret is None:
        return f"{text}.AAAA"
    signature = hmac.digest(secret.encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


SIGNER: Final = LinkSigner(SECRET)
KEYRING: Final = Keyring({KEY: SECRET})


def read_by_all(header: Any, claims: Any) -> None:
    """No reader raises anything but its refusal, and without a signature each refuses."""
    for secret in (None, SECRET):
        text = token(header, claims, secret)
        link = SIGNER.read(text)
        try:
            verified = KEYRING.verify(text, None, BODY, time.time())
        except SignatureRefused:
            verified = None
        assert secret is not None or (link is None and verified is None)


LINK: Final = {"iss": "stagedoor", "use": "play", "room": "live-demo", "exp": 4_000_000_000}
WEBHOOK: Final = {
    "iss": KEY,
    "exp": 4_000_000_000,
    "sha256": base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
}


@given(HEADERS, st.sampled_from([LINK, WEBHOOK, {}]))
@example({"alg": "HS256", "crit": 5}, LINK)
@example({"alg": "HS256", "crit": [5]}, WEBHOOK)
def test_any_header(header: dict[str, Any], claims: dict[str, Any]) -> None:
    read_by_all({"alg": "HS256", "typ": "JWT", **header}, claims)


@pytest.mark.parametrize("field", FIELDS)
def test_each_registered_field_with_each_type(field: str) -> None:
    for value in ODD:
        for claims in (LINK, WEBHOOK):
            read_by_all({"alg": "HS256", field: value}, claims)
            read_by_all({"alg": "HS256", "typ": "JWT", "crit": [field], field: value}, claims)


@given(VALUES, VALUES)
def test_headers_and_claims_that_are_no_objects(header: Any, claims: Any) -> None:
    read_by_all(header, claims)


@given(st.sampled_from([LINK, WEBHOOK]), st.sampled_from(["iss", "use", "room", "exp", "nbf", "iat", "sha256"]), VALUES)
@example(LINK, "use", ["play"])
@example(LINK, "exp", 1e400)
@example(WEBHOOK, "exp", 1e400)
def test_any_claim(claims: dict[str, Any], name: str, value: Any) -> None:
    read_by_all({"alg": "HS256"}, claims | {name: value})


@given(st.text())
@example("..")
@example("é.é.é")
@example("\ud800.\ud800.\ud800")
def test_any_text(text: str) -> None:
    assert SIGNER.read(text) is None
    with pytest.raises(SignatureRefused):
        KEYRING.verify(text or "x", None, BODY, time.time())


CRIT: Final = [{"alg": "HS256", "crit": 5}, {"alg": "HS256", "crit": [5]}]


@pytest.mark.parametrize("header", CRIT, ids=["a number", "a list of numbers"])
async def test_strange_headers_get_the_same_answer_for_any_app(
    managed_product: RunningProduct, http: aiohttp.ClientSession, header: dict[str, Any]
) -> None:
    url, text = managed_product.url, token(header, {}, None)

    async def answer(path: str) -> tuple[int, bytes]:
        async with http.get(f"{url}{path}?token={text}") as found:
            return found.status, await found.read()

    for path in ("/play/{}/r", "/embed/{}/r", "/meet/{}/r", "/live/{}/r", "/live/{}/r/frame.jpg", "/live/{}/r/mjpeg"):
        known, unknown = await answer(path.format("live")), await answer(path.format("nosuchapp"))
        assert known == unknown
        assert known[0] == 404
    webhook = token(header, {"iss": managed_product.livekit_keys[0]}, None)
    async with http.post(managed_product.webhook_url, data=b"{}", headers={"Authorization": webhook}) as refused:
        assert refused.status == 401
    assert "Traceback" not in managed_product.log
