"""The consumer that publishes a stream in layers: decoded once, and encoded in several sizes by LiveKit's SDK.

LiveKit says which layers viewers are on (dynacast), and the SDK encodes those alone: with no viewer none. The SDK takes
encoded pictures for one layer only, so the largest layer is encoded too.
"""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from stagedoor.streams.media.child import h264
from stagedoor.streams.media.child.encoder import MAX_BITRATE, fitting
from stagedoor.streams.media.child.first_report import FirstReport
from stagedoor.streams.media.child.frame_rate import FrameRate
from stagedoor.streams.media.child.limits import check_size
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track
from stagedoor.streams.media.child.packet_queue import PacketQueue
from stagedoor.streams.media.child.pcm import RATE, PcmDecoder
from stagedoor.streams.media.child.undecodable import DamageWatch
from stagedoor.streams.media.protocol import AudioState, JoinTarget, StreamLimits, VideoState

REASON: Final = "It is transcoded because the setting layers is ladder. Set layers to single."
_BITS_PER_PIXEL: Final = 0.1
_MOST_FPS: Final = 60
_AUDIO_QUEUE_MS: Final = 200
_VIEWER_SECONDS: Final = 3.0
"""How long a source that waits is held for a first viewer; see `livekit.py`."""
_INTRODUCTION_SECONDS: Final = 0.1
_NEGOTIATION_SECONDS: Final = 0.5
"""LiveKit reports a subscription before it can send to the subscriber; there is no report of that."""
_PREVIEW_SECONDS: Final = 0.5
"""What a source shows of itself while it waits comes at once."""
_REMOVED: Final = frozenset(
    {
        rtc.DisconnectReason.DUPLICATE_IDENTITY,
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.ROOM_CLOSED,
    }
)


class _Video:
    """The state of the video, and its decoder.

    Attributes:
        bitrate: As measured, for the state.
    """

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._track: Track | None = None
        self._decoder: VideoCodecContext | None = None
        self._profile = ""
        self._size = (0, 0)
        self._rate = FrameRate()
        self._damage = DamageWatch()
        self.bitrate: int | None = None
        self.changed = False

    @property
    def fps(self) -> float | None:
        """How many pictures a second come; `None` when it is not known yet."""
        return self._rate.nominal

    @property
    def state(self) -> VideoState | None:
        """What is published; none before the size of a picture is known."""
        if self._track is None or self._decoder is None or self._size == (0, 0):
            return None
        return VideoState(
            self._track.codec,
            self._profile,
            *self._size,
            fps=self.fps,
            bitrate=self.bitrate,
            passthrough=False,
            reason=REASON,
        )

    def take(self, packet: MediaPacket) -> list[av.VideoFrame]:
        """The pictures of a packet.

        Raises:
            StreamFailed: They may not be published.
        """
        if packet.track != self._track:
            self._track, self._decoder, self.changed = packet.track, packet.track.video_decoder(), True
            self._profile = packet.track.profile
        if packet.key and packet.track.codec == "h264":
            self._note_profile(packet)
        pictures: list[av.VideoFrame] = []
        if self._decoder is not None:
            with contextlib.suppress(FFmpegError):  # what is broken shows for a moment; the stream goes on
                pictures = self._decoder.decode(packet.packet())
        whole = h264.whole(packet.data) if packet.track.codec == "h264" else bool(pictures)
        if packet.live and whole is not None:
            self._damage.take(packet.dts, whole=whole)
        for picture in pictures:
            self._note(picture)
        return pictures

    def _note_profile(self, packet: MediaPacket) -> None:
        sets = h264.parameter_sets(packet.data) or h264.parameter_sets(packet.track.extradata or b"")
        profile, _ = h264.profile_of(sets)
        if profile and profile != self._profile:
            self._profile, self.changed = profile, True

    def _note(self, picture: av.VideoFrame) -> None:
        self._rate.take(picture.pts or 0)
        if self._decoder is not None:
            self._rate.state(self._decoder.framerate)
        if (picture.width, picture.height) == self._size:
            return
        self._size, self.changed = (picture.width, picture.height), True
        check_size(self._limits, picture.width, picture.height)


class _Audio:
    """The state of the audio, and its decoder.

    Attributes:
        bitrate: As measured, for the state.
        decoder: Of the present track.
    """

    def __init__(self) -> None:
        self._track: Track | None = None
        self.decoder: PcmDecoder | None = None
        self.bitrate: int | None = None
        self.changed = False

    @property
    def state(self) -> AudioState | None:
        """What is published."""
        if self._track is None or self.decoder is None:
            return None
        return AudioState(
            self._track.codec,
            *self.decoder.parameters,
            self.bitrate,
            passthrough=False,
            reason=self.decoder.left_out,
        )

    def take(self, packet: MediaPacket) -> list[av.AudioFrame]:
        """The samples of a packet."""
        if packet.track != self._track or self.decoder is None:
            self._track, self.decoder = packet.track, PcmDecoder(packet.track)
        frames = self.decoder.take(packet)
        self.changed |= self.decoder.changed
        self.decoder.changed = False
        return frames


class LadderPublisher:
    """Publishes one stream from a thread of its own. The arguments and attributes are those of `LiveKitPublisher`."""

    def __init__(
        self,
        target: JoinTarget,
        limits: StreamLimits,
        on_change: Callable[[VideoState | None, AudioState | None], None],
        on_failure: Callable[[StreamFailed], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._target = target
        self._max_bitrate = min(limits.max_bitrate or MAX_BITRATE, MAX_BITRATE)
        self._on_change = on_change
        self._on_failure = on_failure
        self._on_ready = on_ready
        self._queue = PacketQueue()
        self._loop = asyncio.new_event_loop()
        self._arrived = asyncio.Event()
        self._closing = False
        self._over: StreamFailed | None = None
        self._picture_source: rtc.VideoSource | None = None
        self._sound_source: rtc.AudioSource | None = None
        self._first_report = FirstReport()
        self._sounds: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue(_AUDIO_QUEUE_MS // 20)
        self.video = _Video(limits)
        self.audio = _Audio()
        self._thread = threading.Thread(target=self._run, name="publish layers", daemon=True)
        self._thread.start()

    @property
    def cpu_seconds(self) -> float:
        """What the worker's process has used: the SDK encodes in threads of its own."""
        return time.process_time()

    @property
    def dropped(self) -> int:
        """Packets that were left out because publishing was too slow."""
        return self._queue.dropped

    def push(self, packet: MediaPacket) -> None:
        """Take a packet. When too much waits, video is dropped up to the next key frame."""
        self._queue.push(packet)
        self._wake()

    def request_key_frame(self) -> None:
        """A viewer has joined; LiveKit asks the SDK for a key frame itself."""

    def close(self) -> None:
        """Publish nothing more, and leave the room."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._publish())
        except StreamFailed as failure:
            self._on_failure(failure)
        finally:
            self._loop.close()

    async def _publish(self) -> None:
        room = rtc.Room()
        room.on("disconnected", self._disconnected)
        try:
            await room.connect(
                self._target.url, self._target.token, rtc.RoomOptions(auto_subscribe=False, dynacast=True)
            )
        except rtc.ConnectError as error:
            raise StreamFailed("livekit_unreachable", f"LiveKit refused the stream: {error}.", retry=True) from error
        playing = asyncio.create_task(self._play_sounds())
        try:
            await self._introduce(room.local_participant)
            self._on_ready()
            while not self._closing:
                packet = await self._next()
                if self._over is not None:
                    raise self._over
                if packet is not None:
                    await self._send(room.local_participant, packet)
        except PublishTrackError as error:
            message = f"LiveKit did not take the track: {error.message}."
            raise self._over or StreamFailed("livekit_unreachable", message, retry=True) from error
        finally:
            playing.cancel()
            await room.disconnect()

    async def _introduce(self, me: rtc.LocalParticipant) -> None:
        """Take packets up to the first live one; of a source that waits show the first picture until a viewer is on the
        track: from there it goes on."""
        began = False
        while not self._closing and self._over is None:
            try:
                packet = await asyncio.wait_for(self._next(), _PREVIEW_SECONDS if began else None)
            except TimeoutError:
                return  # it has no picture
            if packet is None:
                continue
            began = True
            if packet.live or packet.track.kind != "video":
                await self._send(me, packet)
                if packet.live:
                    return
            elif pictures := self.video.take(packet):
                await self._show_until_subscribed(me, pictures[0])
                return

    async def _show_until_subscribed(self, me: rtc.LocalParticipant, picture: av.VideoFrame) -> None:
        subscribed: asyncio.Future[None] | None = None
        until = self._loop.time() + _VIEWER_SECONDS
        while not self._closing and self._over is None and self._loop.time() < until:
            picture.pts = time.monotonic_ns() // 1000
            await self._show(me, picture)
            if subscribed is None:
                (track,) = me.track_publications.values()
                subscribed = asyncio.ensure_future(track.wait_for_subscription())
            waited = subscribed.done()
            await asyncio.sleep(_INTRODUCTION_SECONDS)
            if subscribed.done() and not waited:
                until = min(until, self._loop.time() + _NEGOTIATION_SECONDS)
        if subscribed is not None:
            subscribed.cancel()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if reason in _REMOVED:
            self._over = StreamFailed("removed_from_room", "The participant was removed from the room.")
        else:
            self._over = StreamFailed("livekit_unreachable", "The connection to LiveKit ended.", retry=True)
        self._arrived.set()

    async def _next(self) -> MediaPacket | None:
        self._arrived.clear()  # before the look: a packet that comes meanwhile sets it again
        packet = self._queue.pop()
        if packet is None and not self._closing and self._over is None:
            await self._arrived.wait()
        return packet

    async def _send(self, me: rtc.LocalParticipant, packet: MediaPacket) -> None:
        if packet.track.kind == "video":
            for picture in self.video.take(packet):
                if packet.live:
                    await self._show(me, picture)
        elif packet.live:
            for sound in self.audio.take(packet):
                await self._play(me, sound)
        if (self.video.changed or self.audio.changed) and (self._picture_source or self._sound_source):
            video, audio = self.video.state, self.audio.state
            if self._first_report.due(video, audio):
                self.video.changed = self.audio.changed = False
                self._on_change(video, audio)

    async def _show(self, me: rtc.LocalParticipant, picture: av.VideoFrame) -> None:
        width, height = fitting(picture.width, picture.height)
        pts = picture.pts or 0
        if (picture.width, picture.height, picture.format.name) != (width, height, "yuv420p"):
            picture = picture.reformat(width, height, "yuv420p")
        if self._picture_source is None:
            self._picture_source = rtc.VideoSource(width, height)
            track = rtc.LocalVideoTrack.create_video_track("camera", self._picture_source)
            fps = min(self.video.fps or 30.0, _MOST_FPS)
            bitrate = min(int(width * height * fps * _BITS_PER_PIXEL), self._max_bitrate)
            options = rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA,
                video_codec=rtc.VideoCodec.H264,
                video_encoding=rtc.VideoEncoding(max_bitrate=bitrate, max_framerate=fps),
                simulcast=True,
            )
            await me.publish_track(track, options)
            self.video.changed = True
        data = picture.to_ndarray().tobytes()
        frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, data)
        self._picture_source.capture_frame(frame, timestamp_us=pts)

    async def _play(self, me: rtc.LocalParticipant, sound: av.AudioFrame) -> None:
        channels = sound.layout.nb_channels
        if self._sound_source is None:
            self._sound_source = rtc.AudioSource(RATE, channels, _AUDIO_QUEUE_MS)
            track = rtc.LocalAudioTrack.create_audio_track("microphone", self._sound_source)
            source = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
            await me.publish_track(track, source)
            self.audio.changed = True
        if self._sounds.full():
            self._sounds.get_nowait()
        self._sounds.put_nowait(rtc.AudioFrame(bytes(sound.planes[0]), RATE, channels, sound.samples))

    async def _play_sounds(self) -> None:
        """Apart from the pictures: the SDK takes samples no faster than they are played."""
        while True:
            frame = await self._sounds.get()
            assert self._sound_source is not None  # noqa: S101 - made before the first sound
            await self._sound_source.capture_frame(frame)
