"""One publication of an ingress on this node, whatever the protocol: its state, and why it must end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from stagedoor.kernel.clock import now_ms
from stagedoor.sources.ingress import state as machine
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.closing import LEFT, Ending
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import Audio, Change, EventName, Failure, State, Video
from stagedoor.tenancy.nouns import App


@dataclass(frozen=True, slots=True)
class Happening:
    """A transition that is an event and is not stored yet."""

    event: EventName
    before: State
    after: State
    at: int
    reason: str | None = None


class LiveIngress:
    """A publication.

    Its owner, who has the connection, says what happens by the methods below, waits for `ending` too, and calls `end`
    or `fail` when it is over, for whatever reason.

    Args:
        authenticated: Whose publication it is.
        source: The protocol, as the participant's attribute names it.
        publication: The id of the publication.
        state: What the database has.

    Attributes:
        ending: Set with the reason when the publication must end.
        on_key_frame: Called when a viewer joins the room and so needs a key frame.
        on_removed: Called when LiveKit has removed the participant; finds out why, and ends the publication.
        on_published: Called when the participant is in the room, for the first time or again.
        media: The media stream that publishes it now; what is reported of another does not count.
        woken: Set when there is something to be stored.
        happenings: What is to be stored as events.
        over: Whether it has ended.
    """

    def __init__(self, authenticated: AuthenticatedIngress, source: str, publication: str, state: State) -> None:
        self.ingress: Final[Ingress] = authenticated.ingress
        self.app: Final[App] = authenticated.app
        self.digest: Final = authenticated.digest
        self.source: Final = source
        self.publication: Final = publication
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.on_key_frame: Callable[[], None] | None = None
        self.on_published: Callable[[], None] | None = None
        self.on_removed: Callable[[Failure], None] | None = None
        self.media: object | None = None
        self.woken = asyncio.Event()
        self.changed = asyncio.Event()
        self.happenings: list[Happening] = []
        self.over = False
        self._state = state
        self._notices: list[tuple[Literal["video", "audio"], str, str]] = []

    @property
    def state(self) -> State:
        """What it does now."""
        return self._state

    @property
    def room(self) -> str:
        """The LiveKit name of the room."""
        return self.ingress.livekit_room

    def must_end(self, why: Ending) -> None:
        """Have its owner end it; the first reason holds."""
        if not self.ending.done():
            self.ending.set_result(why)

    def published(self, video: Video | None, audio: Audio | None) -> None:
        """The participant is in the room and publishes, for the first time or again."""
        again = self._state.status != "publishing"
        self._apply(machine.publish(self._state, *self._noted(video, audio), now_ms()))
        if again and self.on_published is not None and not self.over:
            self.on_published()

    def has_changed(self, video: Video | None, audio: Audio | None) -> None:
        """What is published is another codec, size or track."""
        self._apply(machine.change(self._state, *self._noted(video, audio)))

    def noticed(self, track: Literal["video", "audio"], sentence: str, codec: str) -> None:
        """A part of what is sent is left out: say so in the state, until the publication is over or `forget_notices`.

        Args:
            track: Of what it is a part.
            sentence: What is left out, and what to change in the encoder.
            codec: Of a track that is left out as a whole; empty when some of it is published.
        """
        if (track, sentence, codec) not in self._notices:
            self._notices.append((track, sentence, codec))
            self.has_changed(self._state.video, self._state.audio)

    def forget_notices(self) -> None:
        """Another encoder goes on with the publication: what was left out of the one before is of no interest."""
        self._notices.clear()

    def measured(
        self, *, video_bitrate: int, fps: float | None, last_frame_at: int | None, audio_bitrate: int | None = None
    ) -> None:
        """What is measured all the time; it is stored every few seconds."""
        change = machine.measure(
            self._state,
            video_bitrate=video_bitrate,
            audio_bitrate=audio_bitrate,
            fps=fps,
            last_frame_at=last_frame_at,
        )
        if not self.over:
            self._state = change[0]
            self.woken.set()

    def joined(self, participant_sid: str | None) -> None:
        """LiveKit says as which participant it is in the room; `None` when it is not there any more."""
        if participant_sid != self._state.participant_sid:
            self._apply(machine.join(self._state, participant_sid))

    def interrupted(self, code: str, message: str) -> None:
        """Note an interruption, after which it goes on by itself."""
        self._apply(machine.interrupt(self._state, Failure(code, message)))

    def end(self, why: Ending = LEFT) -> None:
        """Note the end: in order, or because of an error if the reason is one."""
        if why.failed:
            self.fail(why.code, why.message)
        else:
            self._finish(machine.end(self._state), why)

    def fail(self, code: str, message: str) -> None:
        """Note the end because of an error."""
        why = Ending(code, message, failed=True)
        self._finish(machine.fail(self._state, Failure(code, message)), why)

    def store_again(self) -> None:
        """The database has another state than this one: store it again."""
        self.changed.set()
        self.woken.set()

    def request_key_frame(self) -> None:
        """A viewer has joined the room."""
        if self.on_key_frame is not None and not self.over:
            self.on_key_frame()

    def _noted(self, video: Video | None, audio: Audio | None) -> tuple[Video | None, Audio | None]:
        """What is published, with what is left out."""
        for track, sentence, codec in self._notices:
            if track == "video":
                video = video and replace(video, reason=_added(video.reason, sentence))
            elif not codec:
                audio = audio and replace(audio, reason=_added(audio.reason, sentence))
            elif audio is None:
                audio = Audio(codec, reason=sentence)
        return video, audio

    def _finish(self, change: Change, why: Ending) -> None:
        if self.over:
            return
        self._apply(change, why.code)
        self.over = True
        self.must_end(why)
        self.changed.set()
        self.woken.set()

    def _apply(self, change: Change, reason: str | None = None) -> None:
        if self.over:
            return
        before, (self._state, event) = self._state, change
        if event is not None:
            self.happenings.append(Happening(event, before, self._state, now_ms(), reason))
        if self._state != before:
            self.changed.set()
            self.woken.set()


def _added(reason: str | None, sentence: str) -> str:
    if reason is None:
        return sentence
    return reason if sentence in reason else f"{reason} {sentence}"
