"""Ingresses that LiveKit's Ingress service runs: the same calls, passed on to its API, and its states taken over."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, Problem
from stagedoor.kernel.sealing import Sealer
from stagedoor.mediaserver.ingress_gateway import (
    EndpointStatus,
    IngressGateway,
    IngressOrder,
    IngressSnapshot,
    TrackInput,
)
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.nouns import Ingress, Transcoding
from stagedoor.sources.ingress.registry import Run
from stagedoor.sources.ingress.state import Audio, Failure, State, Status, Video
from stagedoor.sources.ingress.store import Stored
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()

_FAILED: Final = "livekit_ingress_failed"
_TRANSCODING: Final[dict[Transcoding, bool | None]] = {"auto": None, "never": False, "always": True}
_SCHEMES: Final = ("http", "https")
_STATUSES: Final[dict[EndpointStatus, Status]] = {
    "inactive": "inactive",
    "buffering": "connecting",
    "publishing": "publishing",
    "error": "error",
    "complete": "inactive",
}


class LiveKitIngresses:
    """Drives LiveKit's Ingress service.

    Args:
        database: Where states are stored.
        gateway: The service's API.
        sealer: Opens the URLs that are pulled.
    """

    def __init__(self, database: Database, gateway: IngressGateway, sealer: Sealer) -> None:
        self._database = database
        self._gateway = gateway
        self._sealer = sealer

    async def create(self, ingress: Ingress, url: str | None) -> Run:
        """Create an ingress in the service.

        Args:
            ingress: What is planned.
            url: What is pulled, for the type `url`.

        Raises:
            Problem: The service does not take it, or LiveKit has none.
        """
        _check_supported(ingress, url)
        made = await self._gateway.create(_order(ingress, url))
        pushed = ingress.input_type != "url"
        return Run("livekit", made.id, made.stream_key if pushed else None, made.url or None if pushed else ingress.url)

    async def change(self, before: Ingress, after: Ingress, url: str | None) -> Run | None:
        """Change an ingress in the service; returns the new one where it has to be created again, to be stored before
        the old one is deleted.

        Raises:
            Problem: The service refuses.
        """
        if after.input_type == "url":  # which the service cannot change at all
            return await self.create(after, url or await self._url_of(before))
        _check_supported(after, None)
        await self._gateway.update(before.livekit_id or "", _order(after, None))
        return None

    async def _url_of(self, ingress: Ingress) -> str:
        sealed = await self._database.read(lambda tx: store.sealed_url(tx, ingress.id))
        opened = None if sealed is None else self._sealer.open(sealed)
        if opened is None:
            raise Conflict("url: the stored one cannot be opened; give it again.", code="url_not_readable")
        return opened.decode()

    @asynccontextmanager
    async def stored(self, run: Run | None) -> AsyncGenerator[None]:
        """Delete what was created in the service when the block, which stores it, fails."""
        try:
            yield
        except BaseException:
            if run is not None and run.livekit_id is not None:
                await self.delete_id(run.livekit_id)
            raise

    async def replace(self, ingress: Ingress) -> Run:
        """Create the ingress again, with another key; the old one is deleted by its caller once that is stored."""
        return await self.create(ingress, None)

    async def delete(self, ingress: Ingress) -> None:
        """Delete an ingress from the service, which ends its stream; it may be gone already."""
        if ingress.livekit_id is not None:
            await self.delete_id(ingress.livekit_id)

    async def delete_id(self, livekit_id: str) -> None:
        """The same by the service's id."""
        with contextlib.suppress(NotFound):
            await self._gateway.delete(livekit_id)

    async def delete_all(self, app_id: str) -> None:
        """Delete all of an app, before the app is deleted."""
        for livekit_id in await self._database.read(lambda tx: store.livekit_ids(tx, app_id)):
            await self.delete_id(livekit_id)

    async def refresh(self, ingress: Ingress, known: State | None) -> State | None:
        """The state as the service has it, which is stored; the known one when it does not answer."""
        try:
            found = await self._gateway.find(ingress.livekit_id or "")
        except Problem as problem:
            _log.info("livekit_ingress_unknown", ingress=ingress.id, reason=problem.detail)
            return known
        state = _missing() if found is None else _state(found, known)
        if state != known:
            await self._database.write(lambda tx: store.save_existing_state(tx, Stored(ingress.id, state)))
        return state


def on_started(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Take the state from LiveKit's event that an ingress began to publish."""
    del queue
    ingress = _ingress_of(tx, event)
    if ingress is not None:
        before = store.states_of(tx, [ingress.id]).get(ingress.id, State())
        state = State("publishing", started_at=event.at, video=before.video, audio=before.audio)
        store.save_state(tx, Stored(ingress.id, state))


def on_ended(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Take the state from LiveKit's event that an ingress does not publish any more."""
    del queue
    ingress = _ingress_of(tx, event)
    if ingress is None:
        return
    state = State("inactive", last_frame_at=event.at)
    if event.detail.get("status") == "endpoint_error":
        message = str(event.detail.get("error") or "LiveKit's Ingress service reports an error.")
        state = State("error", Failure(_FAILED, message), last_frame_at=event.at)
    store.save_state(tx, Stored(ingress.id, state))


def _ingress_of(tx: Transaction, event: NewEvent) -> Ingress | None:
    livekit_id: Any = event.detail.get("ingressId")
    if event.origin != "webhook" or not livekit_id:
        return None
    return store.ingress_by_livekit_id(tx, event.app_id, livekit_id)


def _check_supported(ingress: Ingress, url: str | None) -> None:
    """Raise for what LiveKit's Ingress service cannot do.

    Source: livekit/protocol, ingress/validation.go, and livekit-server, pkg/service/ingress.go.
    """
    if url is not None and urlsplit(url).scheme.lower() not in _SCHEMES:
        raise Invalid(
            "url: LiveKit's Ingress service pulls http and https; an app with engine embedded pulls the others too.",
            code="unknown_scheme",
            extra={"schemes": _SCHEMES},
        )
    if ingress.start != "always":
        raise Invalid("start: LiveKit's Ingress service pulls all the time.", code="start_not_supported")
    if ingress.input_type == "url" and not ingress.enabled:
        raise Invalid(
            "enabled: LiveKit's Ingress service cannot disable an ingress that pulls a URL; delete it instead.",
            code="disabling_not_supported",
        )
    if ingress.layers != "single":
        raise Invalid(
            "layers: LiveKit's Ingress service chooses the layers itself; leave it out.", code="layers_not_supported"
        )
    if ingress.input_type != "whip" and ingress.transcoding == "never":
        raise Invalid(
            "transcoding: LiveKit's Ingress service always transcodes RTMP and URLs; leave it out, or create the"
            " ingress while the app's engine is embedded.",
            code="transcoding_not_supported",
        )


def _order(ingress: Ingress, url: str | None) -> IngressOrder:
    return IngressOrder(
        input_type=ingress.input_type,
        room=ingress.livekit_room,
        identity=ingress.identity,
        name=ingress.name,
        metadata=ingress.metadata,
        enabled=ingress.enabled,
        transcoding=_TRANSCODING[ingress.transcoding],
        url=url,
    )


def _missing() -> State:
    message = "LiveKit's Ingress service does not have this ingress any more; delete it, or renew its key."
    return State("error", Failure("livekit_ingress_lost", message))


def _state(found: IngressSnapshot, known: State | None) -> State:
    status = _STATUSES[found.status]
    live = status in {"connecting", "publishing"}
    return State(
        status,
        Failure(_FAILED, found.error or "LiveKit's Ingress service reports an error.") if status == "error" else None,
        started_at=found.started_at if status == "publishing" else None,
        video=_video(found.video, found.transcoded) if live else None,
        audio=_audio(found.audio, found.transcoded) if live else None,
        last_frame_at=None if known is None else known.last_frame_at,
    )


def _video(track: TrackInput | None, transcoded: bool) -> Video | None:  # noqa: FBT001 - of the same name everywhere
    if track is None:
        return None
    reason = "LiveKit's Ingress service transcodes what comes by this protocol." if transcoded else None
    codec = track.mime_type.rpartition("/")[2].lower()
    return Video(codec, None, track.width, track.height, track.fps, track.bitrate, not transcoded, reason)


def _audio(track: TrackInput | None, transcoded: bool) -> Audio | None:  # noqa: FBT001 - as above
    if track is None:
        return None
    codec = track.mime_type.rpartition("/")[2].lower()
    return Audio(codec, track.sample_rate, track.channels, track.bitrate, not transcoded)
