"""RTSP between FFmpeg and a camera: its address, its password and its oddities stay on this side of FFmpeg.

FFmpeg knows Digest with MD5 alone, follows redirects to any address, and gives up at descriptions that players take.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote

from stagedoor.kernel.http_challenges import Challenge, Unsupported, choose
from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.child.rtsp_messages import Message, NotRtsp, Splitter

_UNAUTHORIZED: Final = 401
_FAILURES: Final = 400
_REDIRECTS: Final = range(300, 400)
_SETS: Final = re.compile(r";?\s*sprop-parameter-sets=([^;\r\n]*)")
_SPS: Final = 7
_MOST_PENDING: Final = 100


@dataclass(slots=True)
class _Request:
    message: Message
    cseq: str
    challenge: Challenge | None = None
    answered: int = 0


class RtspTranslator:
    """The translator of one connection to a camera.

    Args:
        url: The camera's URL, with user and password.
        address: The address that is connected to.
        local: What FFmpeg takes the camera to be, such as `127.0.0.1:40000`; set when it is known.

    Attributes:
        by_udp: Whether media comes by UDP.
    """

    def __init__(self, url: SplitResult, address: str) -> None:
        self._user = None if url.username is None else unquote(url.username)
        self._password = unquote(url.password or "")
        self._authority = url.netloc.rpartition("@")[2]
        self._scheme = url.scheme.lower()
        self._address = address
        self._client, self._camera = Splitter(), Splitter()
        self._pending: dict[str, _Request] = {}
        self._cseq = 0
        self._challenge: Challenge | None = None
        self._accepted = False
        self._no_parameters = False
        self.local = ""
        self.by_udp = False

    def from_client(self, data: bytes) -> bytes:
        """Translate what FFmpeg sends."""
        out = bytearray()
        for part in self._client.feed(data):
            if isinstance(part, bytes):
                out += part
            elif part.status:
                out += part.encode()  # to a request of the camera's
            else:
                out += self._request(part)
        return bytes(out)

    def from_source(self, data: bytes) -> tuple[bytes, bytes]:
        """Translate what the camera sends.

        Raises:
            StreamFailed: It cannot be gone on with.
        """
        to_client, to_camera = bytearray(), bytearray()
        try:
            parts = self._camera.feed(data)
        except NotRtsp as error:
            raise StreamFailed("source_failed", f"The camera does not speak RTSP: {error}.", retry=True) from error
        for part in parts:
            if isinstance(part, bytes):
                to_client += part
                continue
            if not part.status:
                to_client += _request_of_camera(part)
                continue
            request = self._pending.pop(part.get("CSeq"), None)
            if request is None and self._pending:  # of a camera that does not count
                request = self._pending.pop(next(iter(self._pending)))
            if part.status == _UNAUTHORIZED:
                to_camera += self._again(request, part)
            elif part.status >= _FAILURES and request is not None and request.message.method == "GET_PARAMETER":
                to_camera += self._keep_alive_otherwise(request)
            else:
                to_client += self._answer(request, part)
        return bytes(to_client), bytes(to_camera)

    def _request(self, message: Message) -> bytes:
        message.first = message.first.replace(f"rtsp://{self.local}", f"{self._scheme}://{self._authority}", 1)
        if self._no_parameters and message.method == "GET_PARAMETER":
            message.set_method("OPTIONS")
        while len(self._pending) >= _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        return self._send(_Request(message, message.get("CSeq")))

    def _send(self, request: _Request) -> bytes:
        self._cseq += 1
        message = request.message
        message.set("CSeq", str(self._cseq))
        request.challenge = self._challenge
        if self._challenge is not None:
            uri = [*message.first.split(" "), ""][1]
            answer = self._challenge.answer(self._user or "", self._password, message.method, uri)
            message.set("Authorization", answer)
        self._pending[str(self._cseq)] = request
        return message.encode()

    def _keep_alive_otherwise(self, request: _Request) -> bytes:
        """Some cameras refuse the GET_PARAMETER that they offer, and end the session unless they get OPTIONS."""
        self._no_parameters = True
        request.message.set_method("OPTIONS")
        return self._send(request)

    def _again(self, request: _Request | None, answer: Message) -> bytes:
        """Answer a challenge, each one once: a camera that is asked again and again with a wrong password locks."""
        if self._user is None:
            raise StreamFailed(
                "auth_failed",
                "The camera asks for a user and a password; write them into the URL: rtsp://user:password@…",
            )
        try:
            challenge = choose(answer.all("WWW-Authenticate"))
        except Unsupported as offered:
            raise StreamFailed(
                "auth_failed",
                f"The camera wants a login that cannot be had: {offered}. Set it to Digest with MD5 or SHA-256.",
            ) from None
        stale = challenge.parameters.get("stale", "").lower() == "true"
        refused = request is None or request.answered > 1
        if request is not None and request.challenge is not None:  # a nonce may be good for one request
            refused |= not stale and (not self._accepted or request.answered > 0)
        if request is None or refused:
            raise StreamFailed("auth_failed", "The camera refuses the user or the password of the URL.")
        request.answered += 1
        self._challenge = challenge
        return self._send(request)

    def _answer(self, request: _Request | None, answer: Message) -> bytes:
        if request is not None:
            answer.set("CSeq", request.cseq)
            self._accepted = self._accepted or request.challenge is not None
        method = "" if request is None else request.message.method
        if answer.status in _REDIRECTS:
            target = answer.get("Location").rpartition("@")[2][:200]
            raise StreamFailed("source_failed", f"The camera redirects to {target}; use that address as the URL.")
        if method == "SETUP":
            answer.set("Transport", self._transport(answer.get("Transport")) or None)
        elif method == "OPTIONS" and answer.status >= _FAILURES:
            answer.first = "RTSP/1.0 200 OK"  # what it can do shows when it is asked to
        elif method == "DESCRIBE":
            answer.body = clean_description(answer.body)
        return answer.encode()

    def _transport(self, value: str) -> str:
        """Media by UDP comes from the camera, and from nowhere else."""
        if not value or "interleaved" in value.lower() or "tcp" in value.partition(";")[0].lower():
            return value
        self.by_udp = True
        parts = [part for part in value.split(";") if not part.strip().lower().startswith(("source=", "destination="))]
        return ";".join([*parts, f"source={self._address}"])


def _request_of_camera(message: Message) -> bytes:
    if message.method == "TEARDOWN":
        raise StreamFailed("source_failed", "The camera has ended the stream.", retry=True)
    return message.encode()


def clean_description(body: bytes) -> bytes:
    """An SDP without what FFmpeg stumbles over: zero bytes, and parameter sets that are none."""
    text = body.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    return _SETS.sub(lambda found: found[0] if _are_sets(found[1]) else "", text).encode("utf-8", "surrogateescape")


def _are_sets(value: str) -> bool:
    try:
        sets = [base64.b64decode(part, validate=True) for part in value.strip().split(",")]
    except (binascii.Error, ValueError):
        return False
    return all(sets) and sets[0][0] & 0x1F == _SPS
