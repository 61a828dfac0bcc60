"""Cuts a stream's packets into parts and segments of fragmented MP4. Pure but for FFmpeg, and the two clocks.

The video says where parts and segments begin, and audio goes into the part that is open when it comes. A part ends when
the next picture would make it longer than the target, so that its duration is known. A segment ends at the key frame
after which the next group of pictures would not fit; when groups are longer than segments, a segment ends without one.
When nothing comes for a while, a segment ends at its longest duration, to which its last picture is shown, and the next
one begins there, without a picture of its own until one comes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from stagedoor.streams.media.child.fmp4 import Run, fragment, initialization
from stagedoor.streams.media.child.media import MediaPacket, TrackKind
from stagedoor.streams.media.child.mp4_audio import AudioPackets
from stagedoor.streams.media.child.mp4_track import AudioTrack, VideoTrack
from stagedoor.streams.media.child.mp4_video import VideoPackets
from stagedoor.streams.media.segments import Header, Initialization, Part

SLACK: Final = 0.45
"""So many seconds a segment may be longer than its target: rounded to whole seconds it is not."""
_OTHER_TRACK_US: Final = 500_000
"""How long a stream that begins with one kind of track is waited for to have the other."""
_KEY_FRAME_US: Final = 10_000_000
"""The same for a key frame of a video that has come without one."""
_LONGEST_GAP_US: Final = 3_000_000
"""After a longer gap a new timeline begins; also after one that would be a segment with nothing in it."""
_VIDEO_LATE_US: Final = 1_000_000
"""When the video is so late after the audio, parts end without it."""
_JUDGED_PICTURES: Final = 3
"""The frame rate is known after so many."""
_MOST_HELD: Final = 2_000


class Segmenter:
    """Makes messages of packets.

    Args:
        segment_seconds: The target duration of segments.
        part_seconds: That of parts.
    """

    def __init__(self, segment_seconds: float, part_seconds: float) -> None:
        self._segment_us = int((segment_seconds + SLACK) * 1_000_000)
        self._longest_gap_us = min(_LONGEST_GAP_US, self._segment_us)
        self._shortest_us = int(segment_seconds * 500_000)
        self._part_us = int(part_seconds * 1_000_000)
        self._video_packets, self._audio_packets = VideoPackets(), AudioPackets()
        self._held: list[MediaPacket] = []
        self._video: VideoTrack | None = None
        self._audio: AudioTrack | None = None
        self._sequence = 0
        self._begun = False
        self._awaits_key_frame = False
        self._wall_us = 0
        self._segment_at = self._part_at = self._key_at = self._group_us = 0

    def take(self, packet: MediaPacket) -> Iterator[tuple[Header, bytes]]:
        """The messages that come of a packet."""
        if not packet.live:
            return
        made = (self._video_packets if packet.track.kind == "video" else self._audio_packets).take(packet)
        for one in made:
            yield from self._take(one)

    def interrupt(self) -> Iterator[tuple[Header, bytes]]:
        """Packets are missing: what follows has a timeline of its own, beginning with a key frame."""
        if self._begun:
            yield from self._end()
            self._begun = False
        self._held.clear()

    def _take(self, packet: MediaPacket) -> Iterator[tuple[Header, bytes]]:
        if not self._begun:
            yield from self._hold(packet)
        elif self._fits(packet):
            yield from self._add(packet)
        else:
            yield from self._restart(packet)

    # The beginning

    def _hold(self, packet: MediaPacket) -> Iterator[tuple[Header, bytes]]:
        """Hold packets until both kinds of tracks have come, or one alone for a while."""
        has_video = any(held.track.kind == "video" for held in self._held)
        if packet.track.kind == "video" and not has_video:
            self._awaits_key_frame = not packet.key
            if not packet.key:
                return
            self._held = [held for held in self._held if held.dts >= packet.dts]  # the first picture begins all
            has_video = True
        self._held.append(packet)
        videos = sum(held.track.kind == "video" for held in self._held)
        complete = videos >= _JUDGED_PICTURES and videos < len(self._held)
        awaited_us = _KEY_FRAME_US if self._awaits_key_frame and not has_video else _OTHER_TRACK_US
        if not complete and packet.dts - self._held[0].dts < awaited_us:
            return
        video = next((held for held in self._held if held.track.kind == "video"), None)
        audio = next((held for held in self._held if held.track.kind == "audio"), None)
        held, self._held = self._held[-_MOST_HELD:], []
        self._video = None if video is None else VideoTrack.begin(video)
        if self._video is not None:
            self._video.measure([one.dts for one in held if one.track.kind == "video"])
        self._audio = None if audio is None else AudioTrack(audio.track, 1 if self._video is None else 2)
        if self._video is None and self._audio is None:
            return
        yield self._initialize(held[0] if self._video is None or video is None else video)
        for one in held:
            track = self._track(one.track.kind)
            if not self._begun or (track is not None and one.dts >= self._part_at):
                yield from self._take(one)

    def _initialize(self, first: MediaPacket) -> tuple[Header, bytes]:
        self._begun, self._sequence = True, 0
        self._segment_at = self._part_at = self._key_at = first.dts
        self._group_us = 0
        self._wall_us = time.time_ns() // 1_000 - time.monotonic_ns() // 1_000
        tracks = [track for track in (self._video, self._audio) if track is not None]
        for track in tracks:
            track.epoch = track.last_dts = first.dts
        video = self._video
        codecs = ",".join(track.description.codec for track in tracks)
        width, height = (video.description.entry.width, video.description.entry.height) if video else (0, 0)
        return (
            Initialization(codecs, width, height, (video.fps or 0.0) if video else 0.0),
            initialization([track.description.entry for track in tracks]),
        )

    def _restart(self, packet: MediaPacket) -> Iterator[tuple[Header, bytes]]:
        yield from self.interrupt()
        yield from self._hold(packet)

    def _fits(self, packet: MediaPacket) -> bool:
        """Whether a packet goes on where the last of its track was."""
        track = self._track(packet.track.kind)
        if track is None or packet.track != track.track:
            return False
        if packet.track.kind == "video" and self._video is not None:
            after = packet.dts - self._video.last_dts
            return -1 < after < self._longest_gap_us and not self._video.changed(packet)
        longest = _LONGEST_GAP_US if self._video is not None else self._longest_gap_us
        return abs(packet.dts - track.last_dts) < longest

    # Parts

    @property
    def _segment_end(self) -> int:
        """When the segment ends at the latest."""
        return self._segment_at + self._segment_us

    def _add(self, packet: MediaPacket) -> Iterator[tuple[Header, bytes]]:
        if packet.track.kind == "video" and self._video is not None:
            if self._video.samples:
                yield from self._cut(packet, self._video.frame_us)
            self._video.add(packet)
        elif self._audio is not None:
            if self._video is None:
                if self._audio.samples:
                    yield from self._cut(packet, self._audio.frame_us)
            elif packet.dts - max(self._video.last_dts, self._part_at) > _VIDEO_LATE_US:
                end = min(packet.dts, self._segment_end)
                yield self._flush(end, ends=end - self._segment_at > self._segment_us - self._part_us)
            self._audio.add(packet)

    def _cut(self, packet: MediaPacket, frame_us: int) -> Iterator[tuple[Header, bytes]]:
        """End the part, or the segment, before this packet."""
        at, elapsed = packet.dts, packet.dts - self._segment_at
        if at <= self._part_at:
            return
        key = packet.track.kind == "video" and packet.key
        if key:
            self._group_us, self._key_at = at - self._key_at, at
        whole = elapsed + frame_us > self._segment_us
        full_groups = elapsed >= self._shortest_us and elapsed + self._group_us > self._segment_us
        if whole or (key and full_groups) or (self._video is None and elapsed + self._part_us > self._segment_us):
            yield self._flush(min(at, self._segment_end), ends=True)
        elif at + frame_us - self._part_at > self._part_us:
            yield self._flush(at, ends=False)

    def _end(self) -> Iterator[tuple[Header, bytes]]:
        """End the part and the segment, because nothing follows in this timeline."""
        track = self._video or self._audio
        if track is not None and (track.samples or (self._audio is not None and self._audio.samples)):
            end = max(min(track.last_dts + track.frame_us, self._segment_end), self._part_at + 1_000)
            yield self._flush(end, ends=True)

    def _flush(self, end: int, *, ends: bool) -> tuple[Header, bytes]:
        runs: list[Run] = []
        independent = self._video is None
        if self._video is not None and self._video.samples:
            independent = any(packet.key for packet in self._video.samples)
            runs.append(self._video.run(end))
        if self._audio is not None and self._audio.samples:
            runs.append(self._audio.run(end))
        self._sequence += 1
        part = Part(
            duration=round((end - self._part_at) / 1_000_000, 6),
            independent=independent,
            ends=ends,
            at=(self._part_at + self._wall_us) // 1_000,
        )
        self._part_at = end
        if ends:
            self._segment_at = end
        return part, fragment(self._sequence, runs)

    def _track(self, kind: TrackKind) -> VideoTrack | AudioTrack | None:
        return self._video if kind == "video" else self._audio
