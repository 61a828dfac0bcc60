"""One stream of a worker: reads its input, passes the packets on, measures and reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from stagedoor.streams.media.child.consumer import Consumer, FanOut
from stagedoor.streams.media.child.limits import check_rates
from stagedoor.streams.media.child.livekit import LiveKitPublisher
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.undecodable import PictureWatch
from stagedoor.streams.media.child.unpublished import Unpublished
from stagedoor.streams.media.protocol import (
    AudioState,
    Changed,
    CompositionInput,
    Connecting,
    Ended,
    Interrupted,
    Order,
    Publishing,
    Report,
    Statistics,
    VideoState,
)

_REPORT_SECONDS: Final = 2.0
_LIMIT_SECONDS: Final = 6.0
"""A bit rate or frame rate is judged over so long."""


class PacketInput(Protocol):
    """Reads packets from somewhere."""

    def packets(self) -> Iterator[MediaPacket]:
        """All packets, as they come, until the source ends.

        Raises:
            StreamFailed: The source cannot be read.
        """
        ...

    def close(self) -> None:
        """End `packets`, from another thread."""
        ...


class MeasuredConsumer(Consumer, Protocol):
    """A consumer with a thread of its own.

    Attributes:
        cpu_seconds: What the thread has used.
    """

    cpu_seconds: float


class _Measured(Protocol):
    bitrate: int | None


class _MeasuredVideo(_Measured, Protocol):
    @property
    def state(self) -> VideoState | None: ...


class Publisher(Consumer, Protocol):
    """The consumer that publishes in the room."""

    @property
    def dropped(self) -> int:
        """Packets that were left out because publishing was too slow."""
        ...

    @property
    def video(self) -> _MeasuredVideo:
        """What is known of the video; takes its measured bit rate."""
        ...

    @property
    def audio(self) -> _Measured:
        """Takes that of the audio."""
        ...

    @property
    def cpu_seconds(self) -> float:
        """What publishing has used."""
        ...

    def request_key_frame(self) -> None:
        """A viewer has joined."""
        ...


class Stream:
    """Runs one order, on threads of its own.

    Args:
        order: What is published where.
        source: Where the packets come from.
        report: Sends a report, from any thread.

    Attributes:
        on_ready: Called when what comes from now on is seen by who is in the room.
    """

    def __init__(self, order: Order, source: PacketInput, report: Callable[[Report], None]) -> None:
        self._order = order
        self._input = source
        self._send = report
        self.on_ready: Callable[[], None] = lambda: None
        self._published = False
        self._states: tuple[VideoState | None, AudioState | None] = None, None
        self._failure: StreamFailed | None = None
        self._stopping = False
        self._meter = _Meter()
        self._pictures = PictureWatch()
        self._publisher = self._make_publisher(order)
        self._fan_out = FanOut([self._publisher])
        self._outputs: dict[str, MeasuredConsumer] = {}
        self._ended_outputs_cpu = 0.0
        self._thread = threading.Thread(target=self._run, name=f"read {order.stream_id}", daemon=True)

    def _make_publisher(self, order: Order) -> Publisher:
        if isinstance(order.input, CompositionInput):
            return Unpublished(order.input, self._on_change)
        if order.join is None:
            return LiveKitPublisher(order, self._on_change, self._on_failure, lambda: self.on_ready())
        # Imported here: the SDK takes a third of a second and 40 MB, and other streams need none of it.
        from stagedoor.streams.media.child.ladder import LadderPublisher

        return LadderPublisher(order.join, order.limits, self._on_change, self._on_failure, lambda: self.on_ready())

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def request_key_frame(self) -> None:
        """A viewer has joined."""
        self._publisher.request_key_frame()

    def start_output(self, output_id: str, consumer: MeasuredConsumer) -> None:
        """Pass the packets to one more consumer."""
        self.stop_output(output_id)
        self._outputs[output_id] = consumer
        self._fan_out.add(consumer)

    def stop_output(self, output_id: str) -> None:
        """End a consumer; nothing happens when it has ended."""
        consumer = self._outputs.pop(output_id, None)
        if consumer is not None:
            self._fan_out.remove(consumer)
            consumer.close()
            self._ended_outputs_cpu += consumer.cpu_seconds

    def has_picture(self) -> bool:
        """Whether a picture of its video was decoded."""
        return self._publisher.video.state is not None

    def stop(self) -> None:
        """Leave the room and end, some time later."""
        self._stopping = True
        self._input.close()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        self._send(Connecting())
        ended = Ended("source_ended", "The source has ended the stream.", retry=False)
        try:
            for packet in self._input.packets():
                self._fan_out.push(packet)
                self._measure(packet)
        except StreamFailed as failure:
            ended = failure.ended()
        self._fan_out.close()
        if self._failure is not None:
            ended = self._failure.ended()
        if self._stopping:
            ended = Ended("stopped", "The stream was stopped.", retry=False)
        self._send(ended)

    def on_interruption(self, interrupted: Interrupted | None) -> None:
        """The source is away, or, with `None`, back; the participant has stayed in its room."""
        if self._published:
            self._send(Publishing(*self._states) if interrupted is None else interrupted)

    def _on_change(self, video: VideoState | None, audio: AudioState | None) -> None:
        self._states = video, audio
        self._send(Changed(video, audio) if self._published else Publishing(video, audio))
        self._published = True

    def _on_failure(self, failure: StreamFailed) -> None:
        self._failure = failure
        self._input.close()

    def _measure(self, packet: MediaPacket) -> None:
        meter = self._meter
        meter.count(packet)
        if packet.track.kind == "video" and packet.live:
            self._pictures.take(packet.dts, seen=self.has_picture())
        if meter.seconds < _REPORT_SECONDS:
            return
        publisher = self._publisher
        publisher.video.bitrate, publisher.audio.bitrate = meter.video_bitrate, meter.audio_bitrate
        outputs = self._ended_outputs_cpu + sum(output.cpu_seconds for output in list(self._outputs.values()))
        cpu = time.thread_time() + publisher.cpu_seconds + outputs
        self._send(
            Statistics(
                meter.video_bitrate,
                meter.audio_bitrate,
                round(meter.fps, 2),
                meter.last_frame_at,
                publisher.dropped,
                meter.cpu(cpu),
            )
        )
        check_rates(self._order.limits, meter.smooth_bitrate, meter.smooth_fps)
        meter.restart()


class _Meter:
    """Counts what comes, over a window."""

    def __init__(self) -> None:
        self.last_frame_at = 0
        self.smooth_bitrate = 0
        self.smooth_fps = 0.0
        self._history: list[tuple[float, int, int]] = []
        self._cpu = 0.0
        self._has_audio = self._has_video = False
        self._began: float | None = None
        self._frames = self._video_bytes = self._audio_bytes = 0

    def restart(self) -> None:
        self._began = time.monotonic()
        self._frames = self._video_bytes = self._audio_bytes = 0

    def count(self, packet: MediaPacket) -> None:
        if not packet.live:
            return
        if self._began is None:
            self._began = time.monotonic()  # not before, or the first window would have too few
        if packet.track.kind == "video":
            self._has_video = True
            self._frames += 1
            self._video_bytes += len(packet.data)
            self.last_frame_at = time.time_ns() // 1_000_000
        else:
            self._has_audio = True
            if not self._has_video:
                self.last_frame_at = time.time_ns() // 1_000_000
            self._audio_bytes += len(packet.data)

    @property
    def seconds(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def fps(self) -> float:
        return self._frames / self.seconds

    @property
    def video_bitrate(self) -> int:
        return int(self._video_bytes * 8 / self.seconds)

    @property
    def audio_bitrate(self) -> int | None:
        return int(self._audio_bytes * 8 / self.seconds) if self._has_audio else None

    def cpu(self, total: float) -> float:
        """The share of a core since the last time, given all seconds so far; notes the window."""
        self._history = [*self._history[-2:], (self.seconds, self._video_bytes, self._frames)]
        seconds = sum(entry[0] for entry in self._history)
        if seconds >= _LIMIT_SECONDS:
            self.smooth_bitrate = int(sum(entry[1] for entry in self._history) * 8 / seconds)
            self.smooth_fps = sum(entry[2] for entry in self._history) / seconds
        share, self._cpu = (total - self._cpu) / self.seconds, total
        return round(share, 4)
