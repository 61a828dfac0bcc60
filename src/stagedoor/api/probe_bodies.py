"""Probes on the wire: the URL that is looked at, and what was found."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field

from stagedoor.api.ingress_bodies import AudioBody, ErrorBody, PullUrl, VideoBody
from stagedoor.api.wire import Data, RequestModel, ResponseModel, meanings
from stagedoor.sources.ingress.embedded import message_of
from stagedoor.sources.ingress.pull_url import masked
from stagedoor.streams.media.protocol import AudioState, Inspected, VideoState

_FORMATS: Final = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska", "mpjpeg": "mjpeg"}


class Probe(RequestModel):
    """A URL to look at."""

    url: PullUrl = Field(
        description="rtsp://, rtsps://, rtmp://, rtmps://, http:// or https://, with user and password in it."
        " Nothing of it is kept.",
        examples=["rtsp://viewer:secret@camera.example.com:554/stream1"],
    )


class ProbedVideo(VideoBody):
    """The video that is there, and whether it would reach viewers as it is."""

    b_frames: bool = Field(description="Whether it has B-frames.", examples=[False])
    key_frame_interval: float | None = Field(
        description="Longest time between two key frames that was seen, in seconds; null when two were not.",
        examples=[2.0],
    )


class ProbedAudio(AudioBody):
    """The audio that is there, and whether it would reach viewers as it is."""


class ProbeBody(ResponseModel):
    """What is at a URL."""

    url: str = Field(
        description="The URL without its credentials.", examples=["rtsp://***@camera.example.com:554/stream1"]
    )
    protocol: str = Field(description="The scheme of the URL.", examples=["rtsp"])
    transport: Literal["tcp", "udp"] | None = Field(
        description="What carries the media; null when nothing was opened.", examples=["tcp"]
    )
    format: str | None = Field(
        description=meanings(
            {
                "rtsp": "Media by RTP.",
                "flv": "RTMP, or FLV by HTTP.",
                "hls": "A playlist.",
                "mpegts": "MPEG-TS.",
                "mp4": "An MP4 file.",
                "mjpeg": "JPEG frames as `multipart/x-mixed-replace`.",
            }
        )
        + " Others by FFmpeg's names; null when nothing was opened.",
        examples=["rtsp"],
    )
    live: bool | None = Field(
        description="Whether it has no end; false for a file. Null when nothing was opened.", examples=[True]
    )
    video: ProbedVideo | None = Field(description="The video; null when none was seen.")
    audio: ProbedAudio | None = Field(description="The audio; null when none was seen.")
    advice: list[str] = Field(
        description="What to change in the camera or encoder, a sentence each; empty when nothing.",
        examples=[["Set the encoder to H.264."]],
    )
    error: ErrorBody | None = Field(
        description="Why it could not be published, or looked at; null when it could. Codes: `source_failed`,"
        " `source_timeout`, `auth_failed`, `address_not_allowed`, `unsupported_codec`, `limit_exceeded`,"
        " `worker_failed`.",
        examples=[None],
    )


def probe_body_of(url: str, found: Inspected) -> Data[ProbeBody]:
    failure = found.failure
    return Data(
        data=ProbeBody(
            url=masked(url),
            protocol=urlsplit(url).scheme,
            transport=found.transport,
            format=_FORMATS.get(found.format, found.format) or None,
            live=not found.finite if found.format else None,
            video=None if found.video is None else _video(found.video, found),
            audio=None if found.audio is None else _audio(found.audio),
            advice=found.advice,
            error=None if failure is None else ErrorBody(code=failure.code, message=message_of(failure)),
        )
    )


def _video(video: VideoState, found: Inspected) -> ProbedVideo:
    return ProbedVideo(
        codec=video.codec,
        profile=video.profile or None,
        width=video.width,
        height=video.height,
        fps=video.fps,
        bitrate=video.bitrate,
        passthrough=video.passthrough,
        reason=video.reason,
        b_frames=bool(found.b_frames),
        key_frame_interval=found.key_frame_seconds,
    )


def _audio(audio: AudioState) -> ProbedAudio:
    return ProbedAudio(
        codec=audio.codec,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
        bitrate=audio.bitrate,
        passthrough=audio.passthrough,
        reason=audio.reason,
    )
