"""The server's interface to the part that decides about streams and takes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from stagedoor.sources.rtmp.notices import Notice
from stagedoor.sources.rtmp.status import StreamStatus

SERVER_STOPS: Final = "server_stops"
"""The code of the end of all streams, after which encoders may come again."""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """An encoder's request to publish.

    Attributes:
        key_candidates: The texts that can be its stream key, the likeliest first; see `keys.py`.
        peer: Its IP address.
        encoder: Its name of itself (`flashVer`).
        tls: Whether it came by RTMPS.
        enhanced: The FourCCs that it names in `connect`.
    """

    app: str
    stream_name: str
    key_candidates: tuple[str, ...]
    peer: str
    encoder: str
    tls: bool
    enhanced: tuple[str, ...]


class PublishRefused(Exception):
    """The encoder may not publish.

    Attributes:
        code: The status that it is sent, such as `NetStream.Publish.BadName`.
        description: A sentence that encoders show or log.
        wrong_key: Whether no stream has its key: such answers are delayed, and counted by address.
    """

    def __init__(self, code: str, description: str, *, wrong_key: bool = False) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.wrong_key = wrong_key


class Publication(Protocol):
    """A stream that an encoder publishes, as its taker sees it.

    Attributes:
        ending: Set by the taker when the stream must end; the encoder is sent the status and is disconnected.
    """

    ending: asyncio.Future[StreamStatus]

    def write(self, tags: bytes) -> None:
        """Take FLV tags. The first ones begin with the file's header."""
        ...

    async def drained(self) -> None:
        """Return when more can be taken; until then nothing is read from the encoder."""
        ...

    def noticed(self, notice: Notice) -> None:
        """Take note of a peculiarity of the stream, for its state."""
        ...

    def finished(self, reason: str, failure: str | None = None) -> None:
        """Take note that nothing more comes: called once, whichever side ended the stream.

        Args:
            reason: A sentence.
            failure: The code of the reason, if the encoder has not just left: a time-out, a mistake, a codec that is
                not taken, a server that stops.
        """
        ...


class PublishHandler(Protocol):
    """The part of the product that knows stream keys."""

    async def publish(self, request: PublishRequest) -> Publication:
        """Take a stream.

        Raises:
            PublishRefused: The encoder may not publish.
        """
        ...
