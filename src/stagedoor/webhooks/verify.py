"""Is this body from our LiveKit? Decided on the raw bytes, before anything in them is read.

LiveKit signs with a JWT in `Authorization`, without the word Bearer: HS256 with an API key's secret, `iss` the API key,
`exp` five minutes on, and `sha256` the standard base64 of the body's SHA-256 (livekit/protocol
`webhook/resource_url_notifier.go`). The other scheme is a plain hex HMAC-SHA256 of the body in `X-LiveKit-Signature`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

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
    sha256: str = ""
    exp: int | float | None = None
    nbf: int | float = 0
    iat: int | float = 0


class _Issuer(msgspec.Struct):
    iss: str = ""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys whose webhooks we accept: several at once, so that a key can be changed without a gap.

    Attributes:
        secrets: Secret by API key.
        accept_hmac: Whether `X-LiveKit-Signature` counts.
    """

    secrets: Mapping[str, str]
    accept_hmac: bool = False
    _keys: dict[str, OctKey] = field(default_factory=dict[str, OctKey], init=False, repr=False)

    def __post_init__(self) -> None:
        for key_id, secret in self.secrets.items():
            self._keys[key_id] = OctKey.import_key(secret)

    def verify(self, authorization: str | None, signature: str | None, body: bytes, now: float) -> Verified:
        """Who signed `body`.

        Args:
            authorization: The header of that name.
            signature: The header `X-LiveKit-Signature`.
            body: The raw body.
            now: Seconds since the epoch.

        Raises:
            SignatureRefused: Nobody that we know did.
        """
        if authorization:
            return self._verify_jwt(authorization, body, now)
        if signature and self.accept_hmac:
            return self._verify_hmac(signature, body)
        raise SignatureRefused("missing", "The request has no signature in the header Authorization.")

    def precheck(self, authorization: str | None, signature: str | None) -> None:
        """Refuse what has no signature at all, before its body is read."""
        if not authorization and not (signature and self.accept_hmac):
            raise SignatureRefused("missing", "The request has no signature in the header Authorization.")

    def _verify_jwt(self, token: str, body: bytes, now: float) -> Verified:
        try:
            # joserfc asks for the key before it has checked anything, which is when the issuer can be read.
            issuer = _issuer(token)
            key = self._keys.get(issuer)
            if key is None:
                raise SignatureRefused("unknown_key", "The signature is by an API key that is not known here.")
            payload = jws.deserialize_compact(token, key, algorithms=["HS256"]).payload
            claims = msgspec.json.decode(payload, type=_Claims)
        except (JoseError, msgspec.MsgspecError, ValueError, RecursionError):
            raise SignatureRefused("bad_signature", "The signature is wrong.") from None
        if claims.exp is None or now > claims.exp + LEEWAY_SECONDS:
            raise SignatureRefused("expired", "The signature has expired; compare the clocks of both machines.")
        if now < max(claims.nbf, claims.iat) - LEEWAY_SECONDS:
            raise SignatureRefused("not_yet", "The signature is from the future; compare the clocks of both machines.")
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not hmac.compare_digest(claims.sha256.encode(), digest.encode()):
            raise SignatureRefused("body_changed", "The signature is for another body.")
        return Verified(issuer, "jwt")

    def _verify_hmac(self, signature: str, body: bytes) -> Verified:
        given = signature.lower().encode("utf-8", "replace")  # hex has both cases
        matching = [
            key_id
            for key_id, secret in self.secrets.items()
            if hmac.compare_digest(given, hmac.digest(secret.encode(), body, "sha256").hex().encode())
        ]
        if not matching:
            raise SignatureRefused("bad_signature", "The signature is wrong.")
        return Verified(matching[0], "hmac")


def _issuer(token: str) -> str:
    """The `iss` of a JWT that nobody has verified yet: it only chooses the key."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    payload = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return msgspec.json.decode(payload, type=_Issuer).iss
