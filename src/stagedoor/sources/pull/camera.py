"""A URL that serves pictures is its room's camera: they reach viewers unchanged, as those that are pushed do."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import aiohttp
import structlog

from stagedoor.kernel.errors import Unavailable
from stagedoor.processes.backoff import Backoff
from stagedoor.sources.cameras.close_codes import GOING_AWAY, IDLE, NOT_JPEG, REPLACED, TOO_BIG, TOO_FAST, Close
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.pull.http_client import HttpClient, SourceFailed
from stagedoor.sources.pull.pictures import ENDED, Publisher, no_picture, poll, read_multipart
from stagedoor.sources.pull.serving import Serving, serving_of
from stagedoor.streams.senders import RoomTaken, Sender, Senders, Source

_log = structlog.get_logger()

_STOPS: Final = ("server_stops", "Stagedoor stops.")
_RETRIED: Final = {ENDED: ("source_failed", "The camera has ended the stream."), GOING_AWAY: _STOPS}
_FINAL: Final = {
    REPLACED: ("room_has_camera", "Another camera has taken the room over."),
    TOO_FAST: ("too_fast", "The camera sends more than five times what the app's cameraMaxFps allows."),
    TOO_BIG: ("too_big", "No picture is as small as the app's cameraMaxFrameBytes wants it."),
}


class PulledCamera:
    """Pulls one URL until it must end, connecting again whenever it breaks.

    Args:
        live: The publication whose state it is.
        senders: Keeps it apart from other cameras of the room.
        url: The URL, with its credentials.
        allowed_networks: The private networks that may be connected to.
    """

    def __init__(self, live: LiveIngress, senders: Senders, url: str, allowed_networks: Sequence[str]) -> None:
        self._live = live
        self._senders = senders
        self._url = url
        self._allowed = allowed_networks
        self._settings = live.app.settings.of(CameraSettings)
        self._serves_pictures = False

    async def run(self) -> bool:
        """Pull until cancelled; returns false at once when the URL serves no pictures, but something else.

        Raises:
            SourceFailed: Another attempt would only fail again.
        """
        backoff = Backoff(first=0.5, ceiling=10.0, healthy_after=20.0)
        async with HttpClient(self._url, self._allowed) as client:
            while True:
                began = time.monotonic()
                try:
                    async with client.get() as answer:
                        serving = await serving_of(answer)
                        if serving is None and not self._serves_pictures:
                            return False
                        await self._connected(client, answer, serving)
                except SourceFailed as error:
                    if not error.retry:
                        raise
                    self._live.interrupted(error.code, str(error))
                wait = backoff.after(time.monotonic() - began)
                await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - jitter

    async def _connected(self, client: HttpClient, answer: aiohttp.ClientResponse, serving: Serving | None) -> None:
        """Be the room's camera for as long as the answer, or what is polled in its place, goes on.

        Raises:
            SourceFailed: Always, with the reason for the end.
        """
        if serving is None:
            raise no_picture(client, answer)
        self._serves_pictures = True
        self._live.on_published = None  # when it is a participant is for its bridge to decide
        try:
            with self._senders.sending(_source(self._live)) as sender:
                publisher = Publisher(self._live, sender.slot, self._settings)
                many = serving.kind == "multipart"
                read = read_multipart(answer, serving, publisher) if many else poll(client, answer, publisher)
                raise self._failure(await self._until_over(sender, publisher, read), publisher)
        except RoomTaken:
            raise SourceFailed("room_has_camera", "Another camera sends to this room.") from None
        except Unavailable:
            raise SourceFailed(*_STOPS, retry=True) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            words = f"The connection to {client.host} was lost: {str(error) or 'no answer'}."
            raise SourceFailed("source_failed", words, retry=True) from error

    async def _until_over(self, sender: Sender, publisher: Publisher, read: Coroutine[Any, Any, Close]) -> Close:
        name, intake = self._live.ingress.id, publisher.intake
        reading = asyncio.create_task(read, name=f"read {name}")
        measuring = asyncio.create_task(publisher.measure(), name=f"measure {name}")
        try:
            why = await sender.ended(self._settings.idle_timeout, lambda: intake.last, reading)
        finally:
            reading.cancel()
            measuring.cancel()
            await asyncio.wait([reading, measuring])
        _log.info("pulled_camera_ended", ingress=name, reason=why.reason, frames=intake.frames)
        return why

    def _failure(self, why: Close, publisher: Publisher) -> SourceFailed:
        if why is IDLE:
            words = f"The camera has sent no picture for the app's cameraIdleTimeout, {self._settings.idle_timeout} s."
            return SourceFailed("source_failed", " ".join(filter(None, [words, publisher.failure])), retry=True)
        if why is NOT_JPEG:
            rejection = publisher.intake.rejection
            of_last = "" if rejection is None else f": {rejection.message}"
            return SourceFailed("not_jpeg", f"No picture of the last 30 seconds could be shown{of_last}.")
        if why in _FINAL:
            return SourceFailed(*_FINAL[why])
        return SourceFailed(*_RETRIED.get(why, _RETRIED[ENDED]), retry=True)


def _source(live: LiveIngress) -> Source:
    ingress, app = live.ingress, live.app
    return Source(
        id=ingress.id,
        meter="camera",
        app_id=app.id,
        app_slug=app.slug,
        room=ingress.livekit_room,
        identity=ingress.identity,
        name=ingress.name,
        settings=app.settings,
        max_fps=app.settings.of(CameraSettings).max_fps,
        # It is always there, so it would take the room from a camera that pushes again and again.
        replaces=False,
        protocol=live.source,
        metadata=ingress.metadata,
    )
