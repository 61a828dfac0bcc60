"""The commands of a connection and their answers: from `connect` to `publish`, and to the end of the stream."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from stagedoor.sources.rtmp import status as statuses
from stagedoor.sources.rtmp.amf0 import encode
from stagedoor.sources.rtmp.amf_values import AmfValue
from stagedoor.sources.rtmp.command import Command
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.events import Closing, Event, PublishAsked, Unpublished
from stagedoor.sources.rtmp.message import (
    AMF0_COMMAND,
    COMMAND_STREAM,
    CONTROL_STREAM,
    PEER_BANDWIDTH,
    SET_CHUNK_SIZE,
    WINDOW_SIZE,
    Message,
)
from stagedoor.sources.rtmp.status import StreamStatus

WINDOW: Final = 2_500_000
"""Bytes after which either side acknowledges."""

OUR_CHUNK_SIZE: Final = 60_000
"""FFmpeg takes the server's chunk size for what it sends, which makes it cheap to read."""

MOST_STREAMS: Final = 8
"""Message streams of a connection. Encoders make one."""

LOGIN_APP: Final = "login"
"""The app whose clients are asked for user and password, as Adobe's servers ask. A client sends these only when it is
asked, and one that has none gives up then, so it cannot be asked in each app. The user name comes in the clear and is
the stream key. The password never comes, only an MD5 that is made of it, and of keys we have hashes of another kind."""

LONGEST_NAME: Final = 1_024
"""Characters of an app, URL or stream name that are looked at."""

_STATUS_STREAM: Final = 5
_MOST_FOUR_CCS: Final = 32
_FOUR_CCS: Final = ("avc1", "hvc1", "av01", "vp09", "mp4a", "Opus")
_MULTITRACK_AND_MODIFIERS: Final = 2 | 4
_ENHANCED: Final = ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx")


class _State(Enum):
    IDLE = auto()
    ASKING = auto()
    PUBLISHING = auto()


class Session:
    """The server's side of one connection's commands.

    Args:
        send: Sends a message on a chunk stream.
    """

    def __init__(self, send: Callable[[Message, int], None]) -> None:
        self._send = send
        self._connect: Command | None = None
        self._streams = 0
        self._state = _State.IDLE
        self._stream = 0
        self._name = ""
        self._announced = False
        self._handlers: Final[dict[str, Callable[[Command], Event | None]]] = {
            "connect": self._connected,
            "createStream": self._create_stream,
            "releaseStream": self._nothing_to_do,
            "FCPublish": self._announce,
            "FCUnpublish": self._announced_end,
            "publish": self._publish,
            "deleteStream": self._delete_stream,
            "closeStream": self._close_stream,
            "getStreamLength": self._no_length,
            "play": self._play,
            "play2": self._play,
        }

    @property
    def asking(self) -> bool:
        """Whether the encoder waits for leave to publish."""
        return self._state is _State.ASKING

    @property
    def publishing(self) -> bool:
        """Whether media is taken."""
        return self._state is _State.PUBLISHING

    def handle(self, command: Command) -> Event | None:
        """Answer a command.

        Raises:
            ProtocolError: It comes out of order.
        """
        handler = self._handlers.get(command.name, self._nothing_to_do)
        if self._connect is None and command.name != "connect":
            raise ProtocolError("bad_order", f"The command {command.name[:40]!r} came before connect.")
        return handler(command)

    def accept(self) -> None:
        """Take the stream that the encoder asked to publish."""
        self._state = _State.PUBLISHING
        started = statuses.started()
        if self._announced:
            self._command(0, COMMAND_STREAM, "onFCPublish", 0, None, _about(started))
        self.send_status(started)

    def refuse(self, status: StreamStatus) -> None:
        """Refuse it."""
        self._state = _State.IDLE
        self.send_status(status)

    def end(self, status: StreamStatus) -> None:
        """End the stream from our side."""
        self._state = _State.IDLE
        self.send_status(status)

    def send_status(self, status: StreamStatus) -> None:
        """Send a status about the stream."""
        self._command(self._stream, _STATUS_STREAM, "onStatus", 0, None, _about(status))

    def _connected(self, command: Command) -> None:
        app, _, query = _text(command.about, "app").partition("?")
        if app.strip("/") == LOGIN_APP and "authmod=" not in query:
            self._ask_for_login(command)
            return
        self._connect = command
        self._control(WINDOW_SIZE, WINDOW.to_bytes(4, "big"))
        self._control(PEER_BANDWIDTH, WINDOW.to_bytes(4, "big") + b"\x02")
        self._control(SET_CHUNK_SIZE, OUR_CHUNK_SIZE.to_bytes(4, "big"))
        encoding = command.about.get("objectEncoding")
        about: dict[str, AmfValue] = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connected.",
            "objectEncoding": encoding if isinstance(encoding, float) else 0.0,
        }
        if any(name in command.about for name in _ENHANCED):
            about["fourCcList"] = list[AmfValue](_FOUR_CCS)
            about["capsEx"] = float(_MULTITRACK_AND_MODIFIERS)
        server: dict[str, AmfValue] = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31.0, "mode": 1.0}
        self._result(command, server, about)

    def _ask_for_login(self, command: Command) -> None:
        """Have the client connect again with its user name, which it keeps back until it is asked."""
        about: dict[str, AmfValue] = {
            "level": "error",
            "code": "NetConnection.Connect.Rejected",
            "description": "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
        }
        self._command(0, COMMAND_STREAM, "_error", command.transaction, None, about)

    def _create_stream(self, command: Command) -> None:
        if self._streams >= MOST_STREAMS:
            raise ProtocolError("too_many_streams", "The connection makes too many streams.")
        self._streams += 1
        self._result(command, None, float(self._streams))

    def _announce(self, command: Command) -> None:
        self._announced = True
        self._result(command, None)

    def _announced_end(self, command: Command) -> Event | None:
        self._result(command, None)
        return self._ended("The encoder has ended its stream (FCUnpublish).")

    def _publish(self, command: Command) -> Event | None:
        name = command.text(0)[:LONGEST_NAME]
        if command.arguments[:1] == [False]:  # Flash's way of ending a stream
            return self._ended("The encoder has ended its stream (publish false).")
        if self._state is _State.PUBLISHING:
            return self._publish_again(command, name)
        assert self._connect is not None  # noqa: S101 - `handle` sees to it
        self._state, self._stream, self._name = _State.ASKING, command.stream, name
        about = self._connect.about
        return PublishAsked(
            _text(about, "app"), name, _text(about, "tcUrl"), _text(about, "flashVer"), _four_ccs(about)
        )

    def _publish_again(self, command: Command, name: str) -> None:
        """Wirecast publishes its stream a second time right before it stops."""
        if name == self._name:
            self.send_status(statuses.started())
            return
        refused = statuses.bad_name("This connection publishes another stream already; a connection has one.")
        self._command(command.stream, _STATUS_STREAM, "onStatus", 0, None, _about(refused))

    def _delete_stream(self, command: Command) -> Event | None:
        given = command.arguments[0] if command.arguments else None
        others = {float(number) for number in range(1, self._streams + 1) if number != self._stream}
        return (
            None
            if isinstance(given, float) and given in others
            else self._ended("The encoder has ended its stream (deleteStream).")
        )

    def _close_stream(self, command: Command) -> Event | None:
        return self._ended("The encoder has ended its stream (closeStream).")

    def _ended(self, reason: str) -> Event | None:
        if self._state is not _State.PUBLISHING:
            return None
        self.end(statuses.unpublished())
        return Unpublished(reason)

    def _play(self, command: Command) -> Event:
        reason = "This server takes streams by RTMP and plays none; watch by WebRTC."
        refused = StreamStatus("error", "NetStream.Play.Failed", reason)
        self._command(command.stream, _STATUS_STREAM, "onStatus", 0, None, _about(refused))
        return Closing("play", "The client wants to play a stream by RTMP, which is for sending alone.")

    def _no_length(self, command: Command) -> None:
        self._result(command, None, 0.0)

    def _nothing_to_do(self, command: Command) -> None:
        """Answer what asks for nothing that we have, such as `_checkbw`: some encoders wait for it."""
        if command.name not in ("_result", "_error", "onStatus"):
            self._result(command, None)

    def _result(self, command: Command, *values: AmfValue) -> None:
        if command.transaction:
            self._command(0, COMMAND_STREAM, "_result", command.transaction, *values)

    def _command(self, stream: int, chunk_stream: int, *values: AmfValue) -> None:
        self._send(Message(AMF0_COMMAND, stream, 0, encode(*values)), chunk_stream)

    def _control(self, kind: int, payload: bytes) -> None:
        self._send(Message(kind, 0, 0, payload), CONTROL_STREAM)


def _about(status: StreamStatus) -> dict[str, AmfValue]:
    return {"level": status.level, "code": status.code, "description": status.description}


def _text(about: dict[str, AmfValue], name: str) -> str:
    found = about.get(name)
    return found[:LONGEST_NAME] if isinstance(found, str) else ""


def _four_ccs(about: dict[str, AmfValue]) -> tuple[str, ...]:
    found: list[AmfValue] = []
    for name in _ENHANCED[:3]:
        match about.get(name):
            case list(items):
                found += items[:_MOST_FOUR_CCS]
            case dict(items):
                found += list(items)[:_MOST_FOUR_CCS]
            case _:
                pass
    texts = (item[:4] for item in found if isinstance(item, str) and item)
    return tuple(dict.fromkeys(texts))[:_MOST_FOUR_CCS]
