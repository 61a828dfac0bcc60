"""LiveKit's WHIP endpoint, `/whip/v1`: one call a function, and its refusals as problems for the encoder.

Source: `pkg/service/whipservice.go` of livekit-server 1.13.5. Its entity tags are not quoted, its Location is relative,
its links are percent-encoded, and a stale entity tag is an internal error; RFC 9725 wants none of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import aiohttp
import msgspec
import structlog

from stagedoor.kernel.errors import BadRequest, MediaServerFailed, NotFound, Problem, TooLarge, Unavailable
from stagedoor.mediaserver.config import NO_STUN
from stagedoor.mediaserver.endpoint import Endpoint, http_url

_log = structlog.get_logger()
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
"""LiveKit answers once it has gathered its candidates, which a STUN server that does not answer delays by seconds."""
_LINK: Final = re.compile(r"<([^>]*)>(.*)", re.DOTALL)
SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"


@dataclass(frozen=True, slots=True)
class Created:
    """LiveKit's side of a session.

    Attributes:
        participant_sid: LiveKit's id of the participant, which is the session's id there.
        etag: The id of the ICE session, not quoted.
        links: The values of the `Link` headers with the ICE servers.
    """

    participant_sid: str
    answer: bytes
    etag: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """LiveKit's new ICE session."""

    fragment: bytes
    etag: str


class _Refusal(msgspec.Struct):
    error: str = ""


class WhipUpstream:
    """The client of LiveKit's WHIP endpoint.

    Every method raises `NotFound` when LiveKit has no such session, `BadRequest` when it does not understand what the
    encoder sent, `Unavailable` when it does not answer, and `MediaServerFailed` otherwise.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._url = f"{http_url(endpoint.url).rstrip('/')}/whip/v1"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def create(self, token: str, offer: str) -> Created:
        """Join the room that the token names, with an offer."""
        response, body = await self._call("POST", self._url, token, offer, {"Content-Type": SDP})
        if response.status != 201:
            raise self._refused(response.status, body)
        sid = response.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        links = ice_servers(response.headers.getall("Link", []))
        return Created(sid, body, response.headers.get("ETag", ""), links)

    async def trickle(self, token: str, participant_sid: str, etag: str, fragment: str) -> None:
        """Add the encoder's ICE candidates."""
        headers = {"Content-Type": FRAGMENT, "If-Match": etag}
        response, body = await self._call("PATCH", f"{self._url}/{participant_sid}", token, fragment, headers)
        if response.status != 204:
            raise self._refused(response.status, body)

    async def restart(self, token: str, participant_sid: str, fragment: str) -> Restarted:
        """Restart ICE with the encoder's new credentials."""
        headers = {"Content-Type": FRAGMENT, "If-Match": "*"}
        response, body = await self._call("PATCH", f"{self._url}/{participant_sid}", token, fragment, headers)
        if response.status != 200:
            raise self._refused(response.status, body)
        return Restarted(body, response.headers.get("ETag", ""))

    async def delete(self, token: str, participant_sid: str) -> None:
        """End the session: its participant leaves the room."""
        response, body = await self._call("DELETE", f"{self._url}/{participant_sid}", token, None, {})
        if response.status != 200:
            raise self._refused(response.status, body)

    async def _call(
        self, method: str, url: str, token: str, body: str | None, headers: dict[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        headers = headers | {"Authorization": f"Bearer {token}"}
        session = self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with session.request(method, url, data=body, headers=headers) as response:
                return response, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("livekit_whip_unreachable", error=type(error).__name__)
            raise Unavailable("LiveKit does not answer; try again.", headers={"Retry-After": "3"}) from None

    @staticmethod
    def _refused(status: int, body: bytes) -> Problem:
        try:
            reason = msgspec.json.decode(body, type=_Refusal).error
        except msgspec.MsgspecError:
            reason = ""
        _log.info("livekit_whip_refused", status=status, reason=reason[:300])
        if status == 404:
            return NotFound("There is no such WHIP session.", code="whip_session_not_found")
        if status == 413:
            return TooLarge("LiveKit does not take an SDP of this size.")
        if status == 400:
            return BadRequest("LiveKit does not understand this SDP.", code="bad_sdp")
        return MediaServerFailed("LiveKit refused the WHIP request.", code="whip_refused")


def ice_servers(links: Sequence[str]) -> tuple[str, ...]:
    """LiveKit's `Link` headers for an encoder: decoded, and without the placeholder that stands for no server."""
    return tuple(link for link in map(_decoded, links) if NO_STUN not in link)


def _decoded(link: str) -> str:
    """A `Link` whose target is an URI (RFC 7064, RFC 7065), which LiveKit percent-encodes as one path segment."""
    found = _LINK.fullmatch(link)
    return link if found is None else f"<{unquote(found[1])}>{found[2]}"
