"""The stream of a publication whose media goes through this node's media workers: its reports become the state."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from stagedoor.kernel.ids import new_id
from stagedoor.sources.ingress.closing import LEFT, STOPPING
from stagedoor.sources.ingress.joining import IngressTokens
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import Audio, Failure, Video
from stagedoor.streams.media.protocol import (
    AudioState,
    Changed,
    Connecting,
    Ended,
    Input,
    Inspected,
    Interrupted,
    Limit,
    Publishing,
    PublishTarget,
    Report,
    Started,
    Statistics,
    StreamLimits,
    VideoState,
)
from stagedoor.streams.media.stream import MediaStream, StreamSpec
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App

_SETTINGS: Final[dict[Limit, str]] = {
    "width": "ingressMaxWidth",
    "height": "ingressMaxHeight",
    "fps": "ingressMaxFps",
    "bitrate": "ingressMaxBitrate",
}


def open_stream(live: LiveIngress, workers: MediaWorkers, tokens: IngressTokens, source: Input) -> MediaStream:
    """Publish what comes from `source` as the ingress's participant.

    Raises:
        Unavailable: The machine is full, or Stagedoor is stopping.
    """

    async def target() -> PublishTarget:
        issued = await tokens.issue(live.app, live.ingress, live.source)
        return PublishTarget(f"{tokens.livekit_url}/whip/v1", issued.jwt)

    opened: list[MediaStream] = []
    spec = StreamSpec(
        stream_id=new_id("str"),
        input=source,
        make_target=target,
        on_report=lambda report: _apply(live, report, opened),
        transcoding=live.ingress.transcoding,
        limits=limits_of(live.app),
        room=live.room,
        identity=live.ingress.identity,
        layers=live.ingress.layers,
    )
    stream = workers.open(spec)
    opened.append(stream)
    live.media = stream
    live.on_key_frame = stream.request_key_frame
    stream.ended.add_done_callback(partial(_ended, live, stream))
    return stream


def limits_of(app: App) -> StreamLimits:
    """The limits that an app has set for its streams."""
    settings = app.settings.of(IngressSettings)
    return StreamLimits(settings.max_width, settings.max_height, settings.max_fps, settings.max_bitrate)


def message_of(ended: Ended) -> str:
    """Why a stream has ended, with the setting that sets its limit."""
    if ended.limit is None:
        return ended.message
    return f"{ended.message} The app's setting {_SETTINGS[ended.limit]} sets it."


def _apply(live: LiveIngress, report: Report, opened: list[MediaStream]) -> None:
    if opened and live.media is not opened[0]:
        return
    match report:
        case Publishing():
            live.published(_video(report.video), _audio(report.audio))
        case Changed():
            live.has_changed(_video(report.video), _audio(report.audio))
        case Statistics():
            live.measured(
                video_bitrate=report.video_bitrate,
                audio_bitrate=report.audio_bitrate,
                fps=report.fps,
                last_frame_at=report.last_frame_at or None,
            )
        case Interrupted():
            live.interrupted(report.code, report.message)
        case Connecting():
            failure = opened[0].last_failure if opened else None
            if failure is not None:
                live.interrupted(failure.code, failure.message)
        case Started() | Ended() | Inspected():
            pass  # the end comes by the future as well, and then only


def _ended(live: LiveIngress, stream: MediaStream, ended: asyncio.Future[Ended]) -> None:
    result = ended.result()
    if live.media is not stream:
        return
    if result.code == "source_ended":
        live.end(LEFT)
    elif result.code == "stopped":  # what stops it for another reason has ended the publication before
        live.end(STOPPING)
    elif result.code == "removed_from_room" and live.on_removed is not None:
        live.on_removed(Failure(result.code, result.message))
    else:
        live.fail(result.code, message_of(result))


def _video(state: VideoState | None) -> Video | None:
    if state is None:
        return None
    return Video(
        codec=state.codec,
        profile=state.profile or None,
        width=state.width,
        height=state.height,
        fps=state.fps,
        bitrate=state.bitrate,
        passthrough=state.passthrough,
        reason=state.reason,
    )


def _audio(state: AudioState | None) -> Audio | None:
    if state is None:
        return None
    rate, channels = state.sample_rate or None, state.channels or None
    return Audio(state.codec, rate, channels, state.bitrate, state.passthrough, state.reason)
