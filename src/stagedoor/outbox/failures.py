"""What went wrong between an endpoint and us, in sentences that its owner can act on."""

from __future__ import annotations

import errno
import os
import re
import ssl
from typing import Final

_CERTIFICATES: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate, or one that it sends with it, has expired",
    18: "its certificate is signed by itself and by no authority",
    19: "its certificates lead to an authority that is not trusted here",
    20: "the issuer of its certificate is unknown here: either it does not send its intermediate certificate (have it"
    " serve the full chain, such as fullchain.pem), or its authority is not a public one",
    62: "its certificate does not name {host} among its subject alternative names; a common name (CN) does not count",
    64: "its certificate does not name the address {host}",
}
"""By OpenSSL's numbers (X509_V_ERR_…, x509_vfy.h)."""
_CERTIFICATES_OF_LEAVES: Final = {21: _CERTIFICATES[20]}

_REASONS: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate, and Stagedoor has none",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refused the handshake: it may ask for a client certificate, which Stagedoor"
    " does not have, or for a cipher that Stagedoor does not speak",
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no version of TLS from 1.2 on",
    "WRONG_VERSION_NUMBER": "what it answers is not TLS (wrong version number); it may speak plain http on this port",
    "HTTP_REQUEST": "what it answers is not TLS; it may speak plain http on this port",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know the host {host}",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "it does not know the host {host}",
}
"""By OpenSSL's names (sslerr.h)."""

_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")


def tls_reason(error: Exception, host: str) -> str:
    """Why TLS was not agreed on, to follow `TLS failed: `."""
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATES | _CERTIFICATES_OF_LEAVES
        return known.get(error.verify_code, f"OpenSSL refuses its certificate: {error.verify_message}").format(
            host=host
        )
    if isinstance(error, ssl.SSLError) and error.reason:  # typeshed says `str`, and it may be None
        own = f"OpenSSL reports {error.reason.lower().replace('_', ' ')!r}"
        return _REASONS.get(error.reason, own).format(host=host)
    return "the endpoint closed the connection during the handshake"


def os_reason(error: Exception) -> str:
    """`Connection refused`, where asyncio says `Connect call failed` and the address."""
    numbers = [error.errno] if isinstance(error, OSError) and error.errno else []
    numbers += [int(number) for number in _ERRNO.findall(str(error))]  # of several addresses, in one text
    if numbers:
        return ", ".join(dict.fromkeys(os.strerror(number) for number in numbers))
    if isinstance(error, ConnectionResetError):
        return os.strerror(errno.ECONNRESET)
    return "the network reported no reason"
