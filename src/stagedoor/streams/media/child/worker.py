"""The worker of one stream: obeys its control socket until the stream or Stagedoor ends."""

from __future__ import annotations

import os
import socket
import threading
from typing import Final

import msgspec

from stagedoor.streams.media.child.flv_input import FlvInput
from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.child.stream import MeasuredConsumer, Stream
from stagedoor.streams.media.protocol import (
    MESSAGE_BYTES,
    Close,
    Command,
    CompositionInput,
    Ended,
    Inspect,
    Inspected,
    Order,
    Report,
    Started,
    StartOutput,
    StopOutput,
    UrlInput,
)

_LEAVING_SECONDS: Final = 4.0


class Control:
    """The control socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._passed: list[socket.socket] = []

    def next(self) -> Command | None:
        """The next command; none when Stagedoor's end is closed."""
        message, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_BYTES, 1)
        self._passed.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
        return msgspec.json.decode(message, type=Command) if message else None

    def passed(self) -> socket.socket:
        """The socket that came with the last command."""
        return self._passed.pop()

    def report(self, report: Report) -> None:
        """Send a report, from any thread. When Stagedoor is gone, the process ends."""
        message = msgspec.json.encode(report)
        with self._lock:
            try:
                self._socket.send(message)
            except OSError:
                return
            if isinstance(report, Ended | Inspected):
                os._exit(0)


def serve(connection: socket.socket, media: socket.socket | None) -> None:
    """Run the stream that is ordered on the control socket, to its end."""
    control = Control(connection)
    control.report(Started(os.getpid()))
    order = control.next()
    if isinstance(order, Inspect):
        _inspect(order, control)
    if not isinstance(order, Order):
        return
    try:
        stream = _stream(order, media, control)
    except StreamFailed as failure:
        control.report(failure.ended())
        return
    stream.start()
    while (command := control.next()) is not None and not isinstance(command, Close):
        match command:
            case StartOutput():
                stream.start_output(command.output_id, _consumer(command, control.passed()))
            case StopOutput():
                stream.stop_output(command.output_id)
            case _:
                stream.request_key_frame()
    stream.stop()
    stream.join(_LEAVING_SECONDS)


def _consumer(command: StartOutput, connection: socket.socket) -> MeasuredConsumer:
    # Imported here: most streams have no output but their room.
    from stagedoor.streams.media.child.segment_output import SegmentSender

    return SegmentSender(connection, command.output)


def _inspect(order: Inspect, control: Control) -> None:
    # Imported here: what encoders push needs none of it.
    from stagedoor.streams.media.child.inspection import Inspection

    Inspection(order, control.report).start()
    while control.next() is not None:  # until Stagedoor's end is closed; the report ends the process
        pass


def _stream(order: Order, media: socket.socket | None, control: Control) -> Stream:
    if isinstance(order.input, UrlInput):
        # Imported here: what encoders push needs none of it.
        from stagedoor.streams.media.child import url_input

        source = url_input.UrlInput(order.input)
        stream = Stream(order, source, control.report)
        source.report = stream.on_interruption
        source.waits, stream.on_ready = True, source.play
        return stream
    if isinstance(order.input, CompositionInput):
        # Imported here: the SDK takes a third of a second and 40 MB.
        from stagedoor.streams.media.child.composition.composer import Composer

        if order.join is None:
            raise StreamFailed("source_failed", "The order came without its room.")
        return Stream(order, Composer(order.input, order.join), control.report)
    if media is None:
        raise StreamFailed("source_failed", "The order came without its socket.")
    flv = FlvInput(media)
    stream = Stream(order, flv, control.report)
    flv.has_picture = stream.has_picture
    return stream
