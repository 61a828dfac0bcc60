"""Ingresses on the wire: what callers send, and what they get."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from stagedoor.api.addresses import rtmp_url, whip_url
from stagedoor.api.services import Services
from stagedoor.api.wire import NO_CONTROLS, NO_NUL, Data, RequestModel, ResponseModel, Text, meanings, when
from stagedoor.kernel.clock import rfc3339
from stagedoor.sources.ingress.nouns import Engine, Ingress, InputType, Layers, Start, Transcoding
from stagedoor.sources.ingress.pull_url import LONGEST_URL
from stagedoor.sources.ingress.registry import Changes, Wanted
from stagedoor.sources.ingress.state import State, Status
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import short_name

Identity = Annotated[str, Field(min_length=1, max_length=256, pattern=NO_NUL)]
DisplayName = Annotated[str, Field(max_length=256, pattern=NO_CONTROLS)]
Metadata = Annotated[str, Field(max_length=65_536, pattern=NO_NUL)]
PullUrl = Annotated[str, Field(min_length=1, max_length=LONGEST_URL, pattern=NO_NUL)]
Room = Annotated[Text, Field(min_length=1, max_length=256)]

_STATUSES: dict[Status, str] = {
    "inactive": "Nothing is sent.",
    "connecting": "An encoder was admitted, or the URL is being connected to; nothing is published yet.",
    "publishing": "Its participant is in the room and publishes.",
    "reconnecting": "It was interrupted and goes on by itself; `error` says by what.",
    "error": "It ended, or could not begin, because of `error`.",
}
_LAYERS = meanings(
    {
        "single": "The video has one layer, which is passed on as it is where that is possible.",
        "ladder": "The video is encoded in up to three sizes, and each viewer gets the one that fits their line. Sizes"
        " that no viewer is on are not encoded.",
    }
)
_TRANSCODING = meanings(
    {
        "auto": "Media is passed on as it is where the room can take it, else transcoded.",
        "never": "What cannot be passed on is refused, with the reason.",
        "always": "All video is transcoded, and audio unless it is Opus already. Not for `whip`, whose media goes to"
        " LiveKit as it is, unless LiveKit's service runs it.",
    }
)
_START = meanings(
    {"always": "The URL is pulled all the time.", "demand": "While a participant is in the room, or a viewer watches."}
)


class ErrorBody(ResponseModel):
    """What went wrong."""

    code: str = Field(description="For programs.", examples=["unsupported_codec"])
    message: str = Field(
        description="For people, with what to change.",
        examples=["The video is H.265, which the room does not take; set the encoder to H.264."],
    )


class VideoBody(ResponseModel):
    """The video that is published."""

    codec: str = Field(description="Codec that the encoder sends.", examples=["h264"])
    profile: str | None = Field(description="Its profile; null when it is not known.", examples=["High"])
    width: int | None = Field(description="Pixels, of the largest layer; null when not known.", examples=[1280])
    height: int | None = Field(description="Pixels, of the largest layer; null when not known.", examples=[720])
    fps: float | None = Field(description="Pictures a second; null when not known, as by WHIP.", examples=[25.0])
    bitrate: int | None = Field(description="Bits a second; null when not known, as by WHIP.", examples=[2_500_000])
    passthrough: bool = Field(
        description="Whether it reaches viewers as it came, without transcoding.", examples=[True]
    )
    reason: str | None = Field(
        description="Why it is transcoded, and which setting of the encoder would spare it, and which of several tracks"
        " are left out; null when neither.",
        examples=["The video has B-frames; set bf=0 (OBS: B-frames 0) and it is passed on as it is."],
    )


class AudioBody(ResponseModel):
    """The audio that is published."""

    codec: str = Field(description="Codec that the encoder sends.", examples=["aac"])
    sample_rate: int | None = Field(description="Samples a second; null when not known.", examples=[48_000])
    channels: int | None = Field(description="Channels; null when not known.", examples=[2])
    bitrate: int | None = Field(description="Bits a second; null when not known.", examples=[128_000])
    passthrough: bool = Field(description="Whether it reaches viewers as it came.", examples=[False])
    reason: str | None = Field(
        description="Why it, or one of its tracks, is left out, and what to change in the encoder; null when none is.",
        examples=[
            "Audio with FLV's sound format 15 (device-specific) has no decoder and is left out; set the encoder to AAC."
        ],
    )


class StateBody(ResponseModel):
    """What an ingress does now, on whichever node."""

    status: Status = Field(description=meanings(_STATUSES), examples=["publishing"])
    error: ErrorBody | None = Field(description="What went wrong; null when nothing did.", examples=[None])
    started_at: str | None = Field(
        description="When it began to publish; null when it does not.", examples=["2026-01-31T12:00:00.000Z"]
    )
    participant_sid: str | None = Field(
        description="LiveKit's SID of its participant, another one each time it joins; null while it is not in the"
        " room.",
        examples=["PA_5vQ2mT8xYb1c"],
    )
    video: VideoBody | None = Field(description="The video that is published; null without any.")
    audio: AudioBody | None = Field(description="The audio that is published; null without any.")
    restarts: int = Field(description="How often it was interrupted and went on since it began.", examples=[0])
    last_frame_at: str | None = Field(
        description="When its last frame came, to some seconds; null if never.", examples=["2026-01-31T12:04:05.000Z"]
    )


class IngressBody(ResponseModel):
    """A way into a room, without its key."""

    ingress_id: str = Field(description="Identifier.", examples=["igr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    input_type: InputType = Field(description="How media comes.", examples=["rtmp"])
    url: str | None = Field(
        description="Where the encoder pushes to: for `rtmp` the server, to which `/` and the key are added; for `whip`"
        " the endpoint, which takes the key as Bearer. For `url` what is pulled, without its credentials. Null for"
        " `rtmp` where this installation's RTMP is off, and where LiveKit's service runs it and has no address"
        " configured.",
        examples=["rtmp://stagedoor.example.com:1935/live"],
    )
    room_name: str = Field(description="The room's LiveKit name.", examples=["live-stage"])
    short_room: str = Field(description="The room's short name.", examples=["stage"])
    participant_identity: str = Field(description="Identity of its participant.", examples=["obs"])
    participant_name: str = Field(description="Name of its participant; empty without one.", examples=["Main stage"])
    participant_metadata: str = Field(description="Metadata of its participant.", examples=['{"seat":"12"}'])
    transcoding: Transcoding = Field(description=_TRANSCODING, examples=["auto"])
    layers: Layers = Field(description=_LAYERS, examples=["single"])
    start: Start | None = Field(description=f"{_START} Null for what is pushed.", examples=[None])
    enabled: bool = Field(description="Whether it may publish.", examples=[True])
    engine: Engine = Field(
        description=meanings({"embedded": "Stagedoor runs it.", "livekit": "LiveKit's Ingress service runs it."}),
        examples=["embedded"],
    )
    livekit_ingress_id: str | None = Field(
        description="Its id in LiveKit's Ingress service; null for one that Stagedoor runs.", examples=[None]
    )
    hint: str | None = Field(description="The last characters of its key; null without a key.", examples=["x9Qk"])
    state: StateBody = Field(description="The state of the ingress now.")
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


class NewIngressBody(IngressBody):
    """With the key, which is shown this once."""

    stream_key: str | None = Field(
        description="The encoder's key. It cannot be had again. Null for a URL that is pulled.",
        examples=["stk_C2FVsBQIhrscChlQIMV-b5sSYspob7oD"],
    )


class NewIngress(RequestModel):
    """An ingress to create."""

    input_type: InputType = Field(
        description="How media comes: pushed by RTMP or WHIP, or pulled from `url`.", examples=["rtmp"]
    )
    room: Room = Field(description="The room, by short or LiveKit name.", examples=["stage"])
    url: PullUrl | None = Field(
        default=None,
        description="What is pulled, for the type `url` alone: rtsp://, rtsps://, rtmp://, rtmps://, http:// or https://"
        " (files, HLS, MJPEG, MPEG-TS). Its user and password are sealed, and not shown again.",
        examples=["rtsp://viewer:secret@camera.example.com:554/stream1"],
    )
    participant_identity: Identity | None = Field(
        default=None,
        description="Identity of its participant, one of its own in the room; made up if not given.",
        examples=["obs"],
    )
    participant_name: DisplayName | None = Field(
        default=None, description="Name of its participant.", examples=["Main stage"]
    )
    participant_metadata: Metadata | None = Field(
        default=None, description="Metadata of its participant.", examples=['{"seat":"12"}']
    )
    transcoding: Transcoding = Field(default="auto", description=_TRANSCODING, examples=["auto"])
    layers: Layers = Field(default="single", description=_LAYERS, examples=["ladder"])
    enabled: bool = Field(default=True, description="Whether it may publish.", examples=[True])
    start: Start | None = Field(
        default=None, description=f"{_START} For the type `url` alone; `always` if not given.", examples=["demand"]
    )

    def wanted(self) -> Wanted:
        """The same, for the verb."""
        return Wanted(
            self.input_type,
            self.room,
            self.url,
            self.participant_identity,
            self.participant_name,
            self.participant_metadata or "",
            self.transcoding,
            self.layers,
            self.start,
            self.enabled,
        )


class IngressChange(RequestModel):
    """What to change of an ingress; what is left out stays. Its participant's fields, `transcoding` and `layers`
    hold from the next connection on."""

    room: Room | None = Field(
        default=None, description="Another room; the stream ends and may come again.", examples=["stage"]
    )
    url: PullUrl | None = Field(
        default=None,
        description="Another URL to pull, for the type `url` alone; the stream starts again.",
        examples=["rtsp://viewer:secret@camera.example.com:554/stream2"],
    )
    participant_identity: Identity | None = Field(
        default=None, description="Identity of its participant.", examples=["obs"]
    )
    participant_name: DisplayName | None = Field(
        default=None, description="Name of its participant.", examples=["Main stage"]
    )
    participant_metadata: Metadata | None = Field(
        default=None, description="Metadata of its participant.", examples=['{"seat":"12"}']
    )
    transcoding: Transcoding | None = Field(default=None, description=_TRANSCODING, examples=["never"])
    layers: Layers | None = Field(default=None, description=_LAYERS, examples=["ladder"])
    enabled: bool | None = Field(
        default=None, description="Whether it may publish; false ends its stream.", examples=[False]
    )
    start: Start | None = Field(default=None, description=f"{_START} For the type `url` alone.", examples=["always"])

    def changes(self) -> Changes:
        """The same, for the verb."""
        return Changes(
            self.room,
            self.url,
            self.participant_identity,
            self.participant_name,
            self.participant_metadata,
            self.transcoding,
            self.layers,
            self.start,
            self.enabled,
        )


def _url(services: Services, app: App, ingress: Ingress) -> str | None:
    if ingress.url is not None or ingress.engine == "livekit":
        return ingress.url
    if ingress.input_type == "whip":
        return whip_url(services, app, ingress.livekit_room)
    return rtmp_url(services)


def _state(state: State) -> StateBody:
    video, audio, error = state.video, state.audio, state.error
    return StateBody(
        status=state.status,
        error=None if error is None else ErrorBody(code=error.code, message=error.message),
        started_at=when(state.started_at),
        participant_sid=state.participant_sid,
        video=None if video is None else VideoBody(**_fields(video)),
        audio=None if audio is None else AudioBody(**_fields(audio)),
        restarts=state.restarts,
        last_frame_at=when(state.last_frame_at),
    )


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _described(services: Services, app: App, ingress: Ingress, state: State | None) -> dict[str, Any]:
    return {
        "ingress_id": ingress.id,
        "input_type": ingress.input_type,
        "url": _url(services, app, ingress),
        "room_name": ingress.livekit_room,
        "short_room": short_name(ingress.livekit_room),
        "participant_identity": ingress.identity,
        "participant_name": ingress.name,
        "participant_metadata": ingress.metadata,
        "transcoding": ingress.transcoding,
        "layers": ingress.layers,
        "start": ingress.start if ingress.input_type == "url" else None,
        "enabled": ingress.enabled,
        "engine": ingress.engine,
        "livekit_ingress_id": ingress.livekit_id,
        "hint": ingress.hint,
        "state": _state(state or State()),
        "created_at": rfc3339(ingress.created_at),
        "updated_at": rfc3339(ingress.updated_at),
    }


def body_of(services: Services, app: App, ingress: Ingress, state: State | None) -> Data[IngressBody]:
    return Data(data=IngressBody.model_validate(_described(services, app, ingress, state)))


def new_body_of(
    services: Services, app: App, ingress: Ingress, key: str | None, state: State | None = None
) -> Data[NewIngressBody]:
    fields = _described(services, app, ingress, state) | {"stream_key": key}
    return Data(data=NewIngressBody.model_validate(fields))
