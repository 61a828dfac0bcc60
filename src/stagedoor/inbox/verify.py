"""Is this body from our LiveKit? Decided on the raw bytes, before anything in them is read.

LiveKit signs with a JWT in `Authorization`, without the word Bearer: HS256 with an API key's secret, `iss` the API key,
`exp` five minutes on, and `sha256` the standard base64 of the body's SHA-256 (livekit/protocol
`webhook/resource_url_notifier.go`). The other scheme is a plain hex HMAC-SHA256 of the body in `X-LiveKit-Signature`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from stagedoor.kernel import jwt
from stagedoor.kernel.errors import Unauthenticated

Scheme = Literal["jwt", "hmac"]
LEEWAY_SECONDS: Final = 60
"""How far LiveKit's clock and ours may differ; the same that LiveKit's own verifier allows."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed, and how."""

    key_id: str
    scheme: Scheme


class SignatureRefused(Unauthenticated):
    """The signature is missing or wrong; `reason` is a short word for a metric."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, code="bad_signature")
        self.reason = reason


class _Claims(msgspec.Struct):
    iss: str = ""
    sha256: str = ""
    exp: int | float | None = None
    nbf: int | float = 0
    iat: int | float = 0


_claims: Final = msgspec.json.Decoder(_Claims)
_KNOWN_HEADERS: Final = 16
"""JWT headers that are remembered; LiveKit always sends the same one."""


def signature_header(values: Iterable[str]) -> str | None:
    """The header `Authorization` that counts, of those that a request has.

    A proxy that adds its own leaves LiveKit's behind it, so the first that is formed like a JWT counts, with or without
    the word Bearer; without one, the first of all.
    """
    first: str | None = None
    for value in values:
        token = _token_in(value)
        if _is_jwt_like(token):
            return token
        if first is None:
            first = token
    return first


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys whose webhooks we accept: several at once, so that a key can be changed without a gap.

    Attributes:
        secrets: Secret by API key.
        accept_hmac: Whether `X-LiveKit-Signature` counts.
    """

    secrets: Mapping[str, str]
    accept_hmac: bool = False
    _keys: dict[str, bytes] = field(default_factory=dict[str, bytes], init=False, repr=False)
    _states: dict[str, hmac.HMAC] = field(default_factory=dict[str, hmac.HMAC], init=False, repr=False)
    """The state of each key's HMAC before the first byte, which is copied: half of the time of making it."""
    _headers: set[bytes] = field(default_factory=set[bytes], init=False, repr=False)

    def __post_init__(self) -> None:
        self._keys.update({key_id: secret.encode() for key_id, secret in self.secrets.items()})
        self._states.update({key_id: hmac.new(secret, None, "sha256") for key_id, secret in self._keys.items()})

    def verify(self, authorization: str | None, signature: str | None, body: bytes, now: float) -> Verified:
        """Who signed `body`.

        Args:
            authorization: The header of that name; see `signature_header` when there are several.
            signature: The header `X-LiveKit-Signature`.
            body: The raw body.
            now: Seconds since the epoch.

        Raises:
            SignatureRefused: No known key signed the body.
        """
        if authorization:
            return self._verify_jwt(_token_in(authorization), body, now)
        if signature and self.accept_hmac:
            return self._verify_hmac(signature, body)
        raise SignatureRefused("missing", "The request has no signature in the header Authorization.")

    def precheck(self, authorization: str | None, signature: str | None) -> None:
        """Refuse what has no signature at all, before its body is read."""
        if not authorization and not (signature and self.accept_hmac):
            raise SignatureRefused("missing", "The request has no signature in the header Authorization.")

    def _verify_jwt(self, token: str, body: bytes, now: float) -> Verified:
        if not _is_jwt_like(token):
            raise _not_a_jwt(token)
        signed, _, given = token.encode("latin-1", "replace").rpartition(b".")
        header, _, payload = signed.partition(b".")
        if header not in self._headers:
            self._check_header(header)
        try:
            claims = _claims.decode(jwt.decoded(payload))
        except (ValueError, RecursionError):  # msgspec's and binascii's errors are ValueErrors
            raise SignatureRefused("not_jwt", "The claims in the header Authorization cannot be read.") from None
        state = self._states.get(claims.iss)
        if state is None:
            raise SignatureRefused("unknown_key", "The signature is by an API key that is not known here.")
        mac = state.copy()
        mac.update(signed)
        if not hmac.compare_digest(given, jwt.encoded(mac.digest())):
            raise SignatureRefused("bad_signature", "The signature is by another secret than the API key's.")
        if len(self._headers) < _KNOWN_HEADERS:  # and of those alone who know a secret
            self._headers.add(header)
        _check_claims(claims, body, now)
        return Verified(claims.iss, "jwt")

    def _check_header(self, encoded: bytes) -> None:
        """Refuse a JWT by its header."""
        try:
            header: Any = msgspec.json.decode(jwt.decoded(encoded))
        except (ValueError, RecursionError):
            header = None
        # `crit` and `b64` change what is signed and how it is to be read; LiveKit uses neither (RFC 7515, RFC 7797).
        if not isinstance(header, dict) or header.get("alg") != "HS256" or not header.keys().isdisjoint(_REFUSED):  # pyright: ignore[reportUnknownMemberType]
            raise SignatureRefused("not_jwt", "The JWT in the header Authorization is not one that LiveKit makes.")

    def _verify_hmac(self, signature: str, body: bytes) -> Verified:
        given = signature.lower().encode("utf-8", "replace")  # hex has both cases
        matching = [
            key_id
            for key_id, secret in self._keys.items()
            if hmac.compare_digest(given, hmac.digest(secret, body, "sha256").hex().encode())
        ]
        if not matching:
            raise SignatureRefused("bad_signature", "The signature is by another secret than the API key's.")
        return Verified(matching[0], "hmac")


_REFUSED: Final = ("crit", "b64", "zip")


def _token_in(authorization: str) -> str:
    """The JWT of a header, without the word Bearer that some proxies add."""
    value = authorization.strip()
    return value[7:].lstrip() if value[:7].lower() == "bearer " else value


def _is_jwt_like(token: str) -> bool:
    return token.count(".") == 2 and " " not in token


def _not_a_jwt(token: str) -> SignatureRefused:
    scheme, _, rest = token.partition(" ")
    if rest and scheme.isalpha():
        return SignatureRefused(
            "other_scheme",
            "The header Authorization is of another scheme; a proxy puts its own in the place of LiveKit's.",
        )
    return SignatureRefused("not_jwt", "The header Authorization holds no JWT.")


def _check_claims(claims: _Claims, body: bytes, now: float) -> None:
    if claims.exp is None or now > claims.exp + LEEWAY_SECONDS:
        raise SignatureRefused("expired", "The signature has expired; compare the clocks of both machines.")
    if now < max(claims.nbf, claims.iat) - LEEWAY_SECONDS:
        raise SignatureRefused("not_yet", "The signature is from the future; compare the clocks of both machines.")
    if not claims.sha256:
        raise SignatureRefused("no_digest", "The JWT has no claim sha256, so it is not for a webhook's body.")
    digest = binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False)
    if not hmac.compare_digest(claims.sha256.encode(), digest):
        raise SignatureRefused("body_changed", "The signature is for another body.")
