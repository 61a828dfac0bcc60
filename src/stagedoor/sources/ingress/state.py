"""The state of an ingress and its transitions: pure.

A publication is one connection of an encoder, or one run of a pull: it begins, publishes, may be interrupted and
publish again, and ends or fails. Each transition returns the new state, and the type of the event that it is or `None`.
What `ingress.started` begins, one `ingress.ended` or `ingress.failed` ends; further failures are of publications that
never started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["inactive", "connecting", "publishing", "reconnecting", "error"]
EventName = Literal["ingress.started", "ingress.updated", "ingress.ended", "ingress.failed"]

LIVE: frozenset[Status] = frozenset({"connecting", "publishing", "reconnecting"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an ingress does not publish.

    Attributes:
        code: For programs.
        message: A sentence for a person.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Video:
    """The video that is published; a number that is not known is `None`.

    Attributes:
        width: Of the largest layer, in pixels.
        bitrate: Bits a second.
        passthrough: Whether it reaches viewers as it came.
        reason: Why it is transcoded, and which setting of the encoder would spare it; `None` when it is not.
    """

    codec: str
    profile: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate: int | None = None
    passthrough: bool = True
    reason: str | None = None

    def like(self, other: Video | None) -> bool:
        """Whether the other differs at most in what is measured all the time."""
        return other is not None and replace(self, fps=None, bitrate=None) == replace(other, fps=None, bitrate=None)


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio that is published; `bitrate` is bits a second, and a number that is not known is `None`.

    Attributes:
        reason: Why it is left out, or a part of it, and what to change in the encoder; `None` when nothing is.
    """

    codec: str
    sample_rate: int | None = None
    channels: int | None = None
    bitrate: int | None = None
    passthrough: bool = False
    reason: str | None = None

    def like(self, other: Audio | None) -> bool:
        """Whether the other differs at most in what is measured all the time."""
        return other is not None and replace(self, bitrate=None) == replace(other, bitrate=None)


@dataclass(frozen=True, slots=True)
class State:
    """What an ingress does now. Times are milliseconds since the epoch.

    Attributes:
        error: Why it failed; kept while it is interrupted and until it publishes again.
        started_at: When this publication began to publish; `None` before it did.
        participant_sid: LiveKit's SID of its participant, another one each time it joins; `None` while it is not there.
        restarts: How often this publication was interrupted and went on.
        last_frame_at: When its last frame came; kept when it ends.
        error_before: Why the publication before this one failed: of a failure that only repeats itself there is one
            event.
    """

    status: Status = "inactive"
    error: Failure | None = None
    started_at: int | None = None
    participant_sid: str | None = None
    video: Video | None = None
    audio: Audio | None = None
    restarts: int = 0
    last_frame_at: int | None = None
    error_before: Failure | None = None

    @property
    def live(self) -> bool:
        """Whether a publication is under way."""
        return self.status in LIVE


Change = tuple[State, EventName | None]


def begin(state: State, *, pulled: bool = False) -> Change:
    """An encoder was admitted, or a pull begins to connect. What was before is over.

    Why a pull failed is kept while it is tried again; an encoder that comes again is another attempt.
    """
    error = state.error if pulled else None
    return State("connecting", error=error, last_frame_at=state.last_frame_at, error_before=state.error), None


def publish(state: State, video: Video | None, audio: Audio | None, at: int) -> Change:
    """The participant is in the room and publishes, for the first time or again."""
    if not state.live:
        return state, None
    after = replace(
        state, status="publishing", error=None, video=video, audio=audio, error_before=None, last_frame_at=at
    )
    if state.started_at is None:
        return replace(after, started_at=at), "ingress.started"
    return after, "ingress.updated" if _differs(state, after) else None


def change(state: State, video: Video | None, audio: Audio | None) -> Change:
    """What is published has changed: another codec, size or track."""
    if not state.live:
        return state, None
    after = replace(state, video=video, audio=audio)
    return after, "ingress.updated" if state.started_at is not None and _differs(state, after) else None


def measure(
    state: State,
    *,
    video_bitrate: int,
    fps: float | None,
    last_frame_at: int | None,
    audio_bitrate: int | None = None,
) -> Change:
    """What is measured all the time; no event."""
    if not state.live:
        return state, None
    video = state.video and replace(state.video, bitrate=video_bitrate, fps=fps)
    audio = state.audio and replace(state.audio, bitrate=audio_bitrate)
    return replace(state, video=video, audio=audio, last_frame_at=last_frame_at or state.last_frame_at), None


def join(state: State, participant_sid: str | None) -> Change:
    """LiveKit says as which participant it is in the room; `None` when it is not there any more."""
    return (replace(state, participant_sid=participant_sid), None) if state.live else (state, None)


def interrupt(state: State, failure: Failure) -> Change:
    """The publication is interrupted and goes on by itself: the source, the worker or LiveKit is away."""
    if not state.live:
        return state, None
    if state.started_at is None:
        return replace(state, error=failure), None if _repeats(state, failure) else "ingress.failed"
    again = state.status == "reconnecting"
    after = replace(state, status="reconnecting", error=failure, restarts=state.restarts + (not again))
    return after, None if again else "ingress.updated"


def end(state: State) -> Change:
    """The publication is over, in order."""
    if not state.live:
        return state, None
    ended: EventName | None = None if state.started_at is None else "ingress.ended"
    return State("inactive", last_frame_at=state.last_frame_at), ended


def fail(state: State, failure: Failure) -> Change:
    """The publication is over, or could not begin, because of an error.

    Of a failure that only repeats itself, such as that of a camera which stays away, there is one event.
    """
    after = State("error", error=failure, last_frame_at=state.last_frame_at)
    return after, None if state.started_at is None and _repeats(state, failure) else "ingress.failed"


def _repeats(state: State, failure: Failure) -> bool:
    before = state.error or state.error_before
    return before is not None and before.code == failure.code


def _differs(one: State, other: State) -> bool:
    same_video = one.video is other.video or (one.video is not None and one.video.like(other.video))
    same_audio = one.audio is other.audio or (one.audio is not None and one.audio.like(other.audio))
    return one.status != other.status or not same_video or not same_audio
