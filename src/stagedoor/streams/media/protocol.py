"""The protocol between Stagedoor and its media workers. The module imports nothing of Stagedoor.

Stagedoor starts one process, which forks a worker for each stream. On its standard input, a `SOCK_SEQPACKET` socket,
it gets one message for each worker, with the end of the worker's own control socket and, for an `FlvInput`, of the
socket from which the worker reads FLV. Each message of a control socket is one packet with JSON: commands come in,
reports go out. A worker ends when its control socket does, so it does not outlive Stagedoor.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

MESSAGE_BYTES: Final = 1 << 16
"""The longest message."""

Transcoding = Literal["auto", "never", "always"]
Layers = Literal["single", "ladder"]
"""Whether a video is published as one layer, or as several of which a viewer gets the one that fits their line."""

Transport = Literal["auto", "tcp", "udp"]


class PublishTarget(msgspec.Struct, frozen=True):
    """The room that a stream is published in.

    It stays in the main process.

    Attributes:
        whip_url: LiveKit's WHIP endpoint, such as `http://127.0.0.1:7880/whip/v1`.
        token: A join token; it names the room and the participant.
    """

    whip_url: str
    token: str


class JoinTarget(msgspec.Struct, frozen=True):
    """The room that a worker joins itself, by LiveKit's SDK.

    Attributes:
        url: LiveKit's signalling, such as `ws://127.0.0.1:7880`.
        token: A join token for this room alone.
    """

    url: str
    token: str


class StreamLimits(msgspec.Struct, frozen=True):
    """Bounds of a stream; 0 means none.

    Attributes:
        max_bitrate: In bits a second, of the video.
    """

    max_width: int = 0
    max_height: int = 0
    max_fps: int = 0
    max_bitrate: int = 0


class FlvInput(msgspec.Struct, frozen=True, tag="flv"):
    """FLV that Stagedoor writes to the passed socket."""


class UrlInput(msgspec.Struct, frozen=True, tag="url"):
    """A URL that the worker reads.

    Attributes:
        options: Options of FFmpeg's demuxer.
        allowed_networks: The networks in which a target may be, in CIDR form.
        stay_seconds: How long the participant stays in the room while the source is away.
    """

    url: str
    options: dict[str, str] = {}
    allowed_networks: list[str] = []
    transport: Transport = "auto"
    stay_seconds: float = 30.0


class CompositionInput(msgspec.Struct, frozen=True, tag="composition"):
    """A room whose participants the worker composes into one picture and one sound.

    Attributes:
        width: Of the picture; even.
        height: Likewise.
        fps: Pictures a second.
        video_bitrate: In bits a second; 0 chooses one by the size.
        layout: `grid`, `speaker`, or `single:` and an identity.
        empty_seconds: The worker leaves when no other participant has been in the room for so long.
    """

    width: int = 1280
    height: int = 720
    fps: int = 25
    video_bitrate: int = 0
    layout: str = "grid"
    empty_seconds: float = 5.0


Input = FlvInput | UrlInput | CompositionInput


class Order(msgspec.Struct, frozen=True, tag="order"):
    """The order to read an input and publish it: the first command.

    Attributes:
        publish_url: Where the worker sends its WHIP offer: to the main process, which passes it on with a token.
        join: The room, when the worker joins it itself: to compose it, or to publish in layers, as WHIP by FFmpeg has
            one layer alone.
    """

    stream_id: str
    input: Input
    publish_url: str
    transcoding: Transcoding = "auto"
    limits: StreamLimits = StreamLimits()
    join: JoinTarget | None = None


class Inspect(msgspec.Struct, frozen=True, tag="inspect"):
    """The order to look at a URL, and to report what is there and how it would be published: the first command.

    Attributes:
        seconds: How long the media is looked at, at the most.
        most_seconds: The report comes after so long, whatever has been seen.
    """

    input: UrlInput
    seconds: float
    most_seconds: float
    limits: StreamLimits = StreamLimits()


class RequestKeyFrame(msgspec.Struct, frozen=True, tag="request_key_frame"):
    """Send a key frame: a viewer has joined."""


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Leave the room and end."""


class SegmentOutput(msgspec.Struct, frozen=True, tag="segments"):
    """Parts and segments of fragmented MP4, as `segments.py` describes them.

    Attributes:
        segment_seconds: The target duration of segments.
        part_seconds: That of parts.
    """

    segment_seconds: float
    part_seconds: float


Output = SegmentOutput


class StartOutput(msgspec.Struct, frozen=True, tag="start_output"):
    """Begin an output beside what the stream does already; its stream socket comes with the message.

    The output ends with its socket.
    """

    output_id: str
    output: Output


class StopOutput(msgspec.Struct, frozen=True, tag="stop_output"):
    """End an output."""

    output_id: str


Command = Order | Inspect | RequestKeyFrame | StartOutput | StopOutput | Close


class VideoState(msgspec.Struct, frozen=True):
    """The video of a stream.

    Attributes:
        codec: As the source sends it: `h264`, `hevc`, `av1`, `vp9`, `mjpeg`, …
        fps: Pictures a second by the codec's parameters, or as measured; `None` before it is known.
        bitrate: In bits a second; `None` before it is measured.
        passthrough: Whether the packets are published as they come.
        reason: A sentence: why the video is transcoded or left out, and which setting of the encoder would spare it.
    """

    codec: str
    profile: str
    width: int
    height: int
    fps: float | None
    bitrate: int | None
    passthrough: bool
    reason: str | None = None


class AudioState(msgspec.Struct, frozen=True):
    """The audio of a stream.

    Attributes:
        reason: A sentence: why the audio is left out.
    """

    codec: str
    sample_rate: int
    channels: int
    bitrate: int | None
    passthrough: bool
    reason: str | None = None


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The worker runs; its process id."""

    pid: int


class Connecting(msgspec.Struct, frozen=True, tag="connecting"):
    """The stream is not in its room yet, or not any more."""


class Publishing(msgspec.Struct, frozen=True, tag="publishing"):
    """The stream is in its room."""

    video: VideoState | None
    audio: AudioState | None


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """A track of the stream was added, or has other parameters now."""

    video: VideoState | None
    audio: AudioState | None


EndCode = Literal[
    "source_ended",
    "source_failed",
    "source_timeout",
    "auth_failed",
    "address_not_allowed",
    "unsupported_codec",
    "undecodable",
    "b_frames_not_allowed",
    "limit_exceeded",
    "livekit_unreachable",
    "livekit_refused",
    "removed_from_room",
    "worker_failed",
    "stopped",
]


Limit = Literal["width", "height", "fps", "bitrate"]


class Interrupted(msgspec.Struct, frozen=True, tag="interrupted"):
    """The source is away; the participant stays in the room, and the source is connected to again."""

    code: EndCode
    message: str


class Statistics(msgspec.Struct, frozen=True, tag="statistics"):
    """Measurements of the last seconds.

    Attributes:
        video_bitrate: In bits a second, as received.
        audio_bitrate: The same; `None` when no audio has come.
        last_frame_at: When the last video packet arrived, without video the last audio packet, in milliseconds since
            1970; 0 when none has.
        dropped: Packets that were left out since the stream was opened.
        cpu: The share of a core that the stream takes.
    """

    video_bitrate: int
    audio_bitrate: int | None
    fps: float
    last_frame_at: int
    dropped: int
    cpu: float


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The stream is over.

    Attributes:
        message: A sentence that a person can act on.
        retry: Whether the same order can succeed later.
        limit: Which of the stream's limits it has exceeded.
    """

    code: EndCode
    message: str
    retry: bool
    limit: Limit | None = None


class Inspected(msgspec.Struct, frozen=True, tag="inspected"):
    """A URL was looked at.

    Attributes:
        transport: What carries the media; `None` when nothing was opened.
        format: FFmpeg's name of the container; empty when nothing was opened.
        finite: Whether it has an end, as a file has.
        b_frames: Whether the video has B-frames; `None` without video.
        key_frame_seconds: The longest time between two key frames that was seen; `None` when two were not.
        advice: Sentences: what to change in the camera or encoder.
        failure: Why it cannot be published, or why nothing more was seen.
    """

    transport: Literal["tcp", "udp"] | None = None
    format: str = ""
    finite: bool = False
    video: VideoState | None = None
    audio: AudioState | None = None
    b_frames: bool | None = None
    key_frame_seconds: float | None = None
    advice: list[str] = []
    failure: Ended | None = None


Report = Started | Connecting | Publishing | Changed | Interrupted | Statistics | Ended | Inspected
