"""The gateway to LiveKit's Ingress service, which needs Redis and processes of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from livekit.protocol import ingress as protocol

from stagedoor.kernel.errors import Conflict, MediaServerFailed, NotFound, Unavailable
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import clean, plausible

InputType = Literal["rtmp", "whip", "url"]
EndpointStatus = Literal["inactive", "buffering", "publishing", "error", "complete"]

_GRANTS: Final = {"ingressAdmin": True}
_SERVICE: Final = "Ingress"
_TYPES: Final[Mapping[InputType, Any]] = {
    "rtmp": protocol.IngressInput.RTMP_INPUT,
    "whip": protocol.IngressInput.WHIP_INPUT,
    "url": protocol.IngressInput.URL_INPUT,
}
_STATUSES: Final[tuple[EndpointStatus, ...]] = ("inactive", "buffering", "publishing", "error", "complete")
_NO_PROCESS: Final = "no response from servers"
"""LiveKit's words for a call of the service that found no process of it."""

_NANOSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class IngressOrder:
    """What LiveKit's service is to run.

    Attributes:
        url: What is pulled, for the type `url`.
        transcoding: Whether media is transcoded; `None` leaves it to the service.
    """

    input_type: InputType
    room: str
    identity: str
    name: str
    metadata: str
    enabled: bool
    transcoding: bool | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class TrackInput:
    """What comes in of a kind; a field is empty or 0 where it is not of the kind."""

    mime_type: str
    bitrate: int
    width: int = 0
    height: int = 0
    fps: float = 0
    channels: int = 0
    sample_rate: int = 0


@dataclass(frozen=True, slots=True)
class IngressSnapshot:
    """An ingress as LiveKit has it. Times are milliseconds since the epoch."""

    id: str
    stream_key: str
    url: str
    status: EndpointStatus
    error: str
    started_at: int | None
    transcoded: bool
    video: TrackInput | None
    audio: TrackInput | None


class IngressGateway:
    """LiveKit's Ingress service. Methods raise as those of `LiveKitGateway`."""

    def __init__(self, gateway: LiveKitGateway) -> None:
        self._gateway = gateway

    async def create(self, order: IngressOrder) -> IngressSnapshot:
        request = protocol.CreateIngressRequest(input_type=_TYPES[order.input_type], url=order.url or "")
        _fill(request, order)
        return _snapshot(await self._call("CreateIngress", request, protocol.IngressInfo, "create the ingress"))

    async def update(self, ingress_id: str, order: IngressOrder) -> IngressSnapshot:
        """Change an ingress. LiveKit refuses that while it publishes, and cannot change its URL."""
        request = protocol.UpdateIngressRequest(ingress_id=ingress_id)
        _fill(request, order)
        return _snapshot(await self._call("UpdateIngress", request, protocol.IngressInfo, "change the ingress"))

    async def find(self, ingress_id: str) -> IngressSnapshot | None:
        """The ingress, if LiveKit has it."""
        request = protocol.ListIngressRequest(ingress_id=ingress_id)
        try:
            answer = await self._call("ListIngress", request, protocol.ListIngressResponse, "get the ingress")
        except NotFound:
            return None
        return _snapshot(answer.items[0]) if answer.items else None

    async def delete(self, ingress_id: str) -> None:
        request = protocol.DeleteIngressRequest(ingress_id=ingress_id)
        await self._call("DeleteIngress", request, protocol.IngressInfo, "delete the ingress")

    async def _call(self, method: str, request: Any, answer: Any, doing: str) -> Any:
        try:
            return await self._gateway.call(method, request, answer, _GRANTS, doing, service=_SERVICE)
        except MediaServerFailed as error:
            if "redis" not in error.detail:
                raise
            raise Conflict(
                "This LiveKit has no Redis, without which it has no Ingress service: give it one, or set the app's"
                " engine to embedded.",
                code="livekit_ingress_missing",
            ) from None
        except Unavailable as error:
            if _NO_PROCESS not in error.detail:
                raise
            raise Unavailable(
                f"LiveKit's Ingress service, which has to {doing}, does not run.",
                code="livekit_ingress_not_running",
                headers={"Retry-After": "10"},
            ) from None


def _fill(request: protocol.CreateIngressRequest | protocol.UpdateIngressRequest, order: IngressOrder) -> None:
    """Set what can be set at any time."""
    request.name = request.participant_name = order.name
    request.room_name = order.room
    request.participant_identity = order.identity
    request.participant_metadata = order.metadata
    request.enabled = order.enabled
    if order.transcoding is not None:
        request.enable_transcoding = order.transcoding


def _snapshot(info: protocol.IngressInfo) -> IngressSnapshot:
    state = info.state
    video = audio = None
    if state.HasField("video"):
        track = state.video
        video = TrackInput(clean(track.mime_type), track.average_bitrate, track.width, track.height, track.framerate)
    if state.HasField("audio"):
        sound = state.audio
        audio = TrackInput(
            clean(sound.mime_type), sound.average_bitrate, channels=sound.channels, sample_rate=sound.sample_rate
        )
    return IngressSnapshot(
        id=info.ingress_id,
        stream_key=info.stream_key,
        url=info.url,
        status=_STATUSES[state.status] if state.status < len(_STATUSES) else "inactive",
        error=clean(state.error),
        started_at=plausible(state.started_at // _NANOSECONDS),
        transcoded=info.enable_transcoding,
        video=video,
        audio=audio,
    )
