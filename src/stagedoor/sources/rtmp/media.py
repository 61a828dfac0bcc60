"""Media messages in, FLV tags out."""

from __future__ import annotations

from typing import Final

from stagedoor.sources.rtmp import flv
from stagedoor.sources.rtmp.amf0 import encode
from stagedoor.sources.rtmp.announced_audio import AnnouncedAudio
from stagedoor.sources.rtmp.audio import AudioReader
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.message import AGGREGATE, AMF0_DATA, AMF3_DATA, AUDIO, VIDEO, Message
from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.timeline import Timeline
from stagedoor.sources.rtmp.video import VideoReader

KINDS: Final = frozenset((AUDIO, VIDEO, AMF0_DATA, AMF3_DATA, AGGREGATE))
_SET_DATA_FRAME: Final = encode("@setDataFrame")
_METADATA: Final = encode("onMetaData")

_CUT_OFF: Final = "A media message of the encoder is cut off and is left out."


class MediaReader:
    """The media messages of one stream as tags of one FLV file, which begins with the file's header."""

    def __init__(self) -> None:
        self._video = VideoReader()
        self._audio = AudioReader()
        self._announced_audio = AnnouncedAudio()
        self._timeline = Timeline()
        self._begun = False
        self._cut_off = False
        self._notices: list[Notice] = []

    def read(self, message: Message, now: int) -> bytes:
        """The tags that a message makes.

        Args:
            now: When it came, in milliseconds of a clock that does not jump.

        Raises:
            UnsupportedVideo: There is no decoder for its video.
        """
        made: list[bytes] = []
        if message.kind == AGGREGATE:
            first: int | None = None
            for kind, timestamp, payload in flv.split(message.payload):
                first = timestamp if first is None else first
                at = (message.timestamp + timestamp - first) & 0xFFFF_FFFF
                self._take(kind, at, payload, now, made)
        else:
            self._take(message.kind, message.timestamp, message.payload, now, made)
        if made and not self._begun:
            self._begun = True
            made.insert(0, flv.FILE_HEADER)
        return b"".join(made)

    def notices(self) -> list[Notice]:
        """The peculiarities that were noticed since the last call."""
        found = self._notices + self._video.notices + self._audio.notices
        self._notices, self._video.notices, self._audio.notices = [], [], []
        return found

    def _take(self, kind: int, raw: int, payload: bytes, now: int, made: list[bytes]) -> None:
        try:
            self._one(kind, raw, payload, now, made)
        except ProtocolError:  # one that is cut off is no reason to end a stream
            if not self._cut_off:
                self._cut_off = True
                self._notices.append(Notice("media_cut_off", _CUT_OFF, "audio" if kind == AUDIO else "video"))

    def _one(self, kind: int, raw: int, payload: bytes, now: int, made: list[bytes]) -> None:
        if kind == VIDEO:
            for picture in self._video.read(payload):
                at = self._timeline.place(VIDEO, raw, now, distinct=picture.distinct)
                made.append(flv.tag(flv.VIDEO, at, picture.payload))
                missing = self._announced_audio.missing(now) if picture.distinct else None
                if missing is not None:
                    self._notices.append(missing)
        elif kind == AUDIO:
            sounds = list(self._audio.read(payload))
            if len(payload) > 1 and all(sound.distinct for sound in sounds):  # none of one that is left out
                self._announced_audio.heard()
            for sound in sounds:
                if not sound.distinct:
                    self._announced_audio.configured(sound.payload)
                at = self._timeline.place(AUDIO, raw, now, distinct=sound.distinct)
                made.append(flv.tag(flv.AUDIO, at, sound.payload))
        elif kind in (AMF0_DATA, AMF3_DATA):
            payload = payload[1:] if kind == AMF3_DATA else payload
            payload = payload.removeprefix(_SET_DATA_FRAME)
            if payload.startswith(_METADATA):  # captions and cue points are not taken
                self._announced_audio.read_metadata(payload)
                made.append(flv.tag(flv.SCRIPT, self._timeline.now, payload))
