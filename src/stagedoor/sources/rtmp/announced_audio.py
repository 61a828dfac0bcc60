"""Audio that an encoder announces and does not send: its viewers hear nothing, and it believes that they do."""

from __future__ import annotations

from typing import Final

from stagedoor.sources.rtmp.amf0 import Amf0Reader
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.notices import Notice

MISSING_MS: Final = 10_000
"""Audio is waited for so long, from the first picture on."""

_LONGEST_NAME: Final = 32
_ENHANCED: Final = 9

_CODECS: Final[dict[float | str, str]] = {2.0: "mp3", 10.0: "aac", 11.0: "speex", "mp4a": "aac", ".mp3": "mp3"}


class AnnouncedAudio:
    """Whether audio comes that the metadata (`onMetaData`) or a codec's configuration announces."""

    def __init__(self) -> None:
        self._codec: str | None = None
        self._since: int | None = None
        self._over = False

    def read_metadata(self, payload: bytes) -> None:
        """Look at metadata. Codec 0 is no announcement: encoders without audio write it too."""
        try:
            _, *values = Amf0Reader(payload).values()
        except ProtocolError:
            return  # what cannot be read announces nothing
        for found in values:
            if isinstance(found, dict):
                codec = found.get("audiocodecid")
                self._codec = None
                if codec and isinstance(codec, float | str) and found.get("hasAudio") is not False:
                    self._codec = _name(codec)

    def configured(self, payload: bytes) -> None:
        """A codec's configuration has come: of AAC, or of one that its FourCC names."""
        self._codec = _name(payload[1:5].decode("ascii", "replace")) if payload[0] >> 4 == _ENHANCED else "aac"

    def heard(self) -> None:
        """Audio has come."""
        self._over = True

    def missing(self, now: int) -> Notice | None:
        """What to say, once, when a picture has come and audio is missing for too long.

        Args:
            now: When the picture came, in milliseconds of a clock that does not jump.
        """
        if self._over:
            return None
        self._since = now if self._since is None else self._since
        if self._codec is None or now - self._since < MISSING_MS:
            return None
        self._over = True
        sentence = (
            f"The encoder announces audio and has sent none for {MISSING_MS // 1_000} seconds. Switch its microphone or"
            " audio source on, or its audio off."
        )
        return Notice("audio_missing", sentence, "audio", self._codec)


def _name(codec: float | str) -> str:
    known = _CODECS.get(codec)
    if known is not None:
        return known
    return codec[:_LONGEST_NAME].lower() if isinstance(codec, str) else f"flv-{codec:.0f}"
