"""Creates, changes and deletes an app's ingresses, and rotates their keys. A key is shown once and stored as a hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

from stagedoor.access.identities import check_identity
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.sealing import Sealer
from stagedoor.rooms.rooms import known_or_new
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.nouns import Engine, Ingress, InputType, Layers, Start, Transcoding
from stagedoor.sources.ingress.pull_url import check_url, masked
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.storage import Transaction
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import App

KEY_PREFIX: Final = "stk_"
_SUFFIX_LENGTH: Final = 6


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for; `None` leaves the choice to us."""

    input_type: InputType
    room: str
    url: str | None = None
    identity: str | None = None
    name: str | None = None
    metadata: str = ""
    transcoding: Transcoding = "auto"
    layers: Layers = "single"
    start: Start | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Changes:
    """What a caller changes; `None` stays."""

    room: str | None = None
    url: str | None = None
    identity: str | None = None
    name: str | None = None
    metadata: str | None = None
    transcoding: Transcoding | None = None
    layers: Layers | None = None
    start: Start | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Who runs an ingress, and what LiveKit's service says of it when it does: its id, its key and where to push to."""

    engine: Engine = "embedded"
    livekit_id: str | None = None
    key: str | None = None
    url: str | None = None


def plan(tx: Transaction, app: App, wanted: Wanted) -> Ingress:
    """The ingress as it would be created now; nothing is stored.

    Raises:
        Invalid: The room, the identity or the URL is not valid, or `url`, `start`, `layers` or `transcoding` are for
            another type.
        Conflict: Another ingress of the room has the identity.
        TooMany: The app has reached its `ingressLimit`.
    """
    settings = app.settings.of(IngressSettings)
    pulled = wanted.input_type == "url"
    if pulled and wanted.url is None:
        raise Invalid("url: an ingress of the type url needs the URL that is pulled.", code="url_missing")
    if not pulled and wanted.url is not None:
        raise Invalid("url: only an ingress of the type url has one.", code="url_not_wanted")
    if not pulled and wanted.start is not None:
        raise Invalid("start: only an ingress of the type url has it; an encoder starts by itself.", code="no_start")
    _check_layers(wanted.input_type, wanted.layers, wanted.transcoding)
    _check_transcoding(wanted.input_type, settings.engine, wanted.transcoding)
    if wanted.url is not None:
        check_url(wanted.url)
    if wanted.identity is not None:
        check_identity(wanted.identity, "participantIdentity")
    livekit_room = known_or_new(tx, app, wanted.room)
    if store.count_ingresses(tx, app.id) >= settings.limit:
        raise TooMany(
            f"The app has as many ingresses as its setting ingressLimit allows: {settings.limit}.",
            code="too_many_ingresses",
            extra={"limit": settings.limit},
        )
    now, ingress_id = now_ms(), new_id("igr")
    identity = wanted.identity or f"{wanted.input_type}-{ingress_id[-_SUFFIX_LENGTH:].lower()}"
    _check_free(tx, livekit_room, identity)
    return Ingress(
        id=ingress_id,
        app_id=app.id,
        livekit_room=livekit_room,
        input_type=wanted.input_type,
        identity=identity,
        name=wanted.name or "",
        metadata=wanted.metadata,
        transcoding=wanted.transcoding,
        layers=wanted.layers,
        start=wanted.start or "always",
        enabled=wanted.enabled,
        engine=settings.engine,
        livekit_id=None,
        url=None if wanted.url is None else masked(wanted.url),
        hint=None,
        created_at=now,
        updated_at=now,
    )


def create(
    tx: Transaction, app: App, sealer: Sealer, wanted: Wanted, run: Run | None = None
) -> tuple[Ingress, str | None]:
    """Create an ingress; the second value is its key, which cannot be retrieved later, and `None` for a pulled URL.

    Raises:
        Problem: As `plan`.
    """
    run = run or Run()
    store.lock_ingresses(tx, app.id)
    ingress = replace(plan(tx, app, wanted), engine=run.engine, livekit_id=run.livekit_id)
    key = None
    if ingress.input_type != "url":
        key = run.key or _new_key()
        ingress = replace(ingress, hint=key[-4:], url=run.url)
    sealed = None if wanted.url is None else sealer.seal(wanted.url.encode())
    store.insert_ingress(tx, ingress, None if key is None else digest(key), sealed)
    return ingress, key


def get(tx: Transaction, app: App, ingress_id: str) -> Ingress:
    """The app's ingress with this id.

    Raises:
        NotFound: The app has no such ingress.
    """
    ingress = store.find_ingress(tx, app.id, ingress_id)
    if ingress is None:
        raise NotFound("There is no such ingress.", code="ingress_not_found")
    return ingress


def changed(tx: Transaction, app: App, ingress_id: str, changes: Changes) -> tuple[Ingress, Ingress]:
    """An ingress as it is and as it would be after the changes; nothing is stored.

    Raises:
        NotFound: The app has no such ingress.
        Invalid: The room, the identity or the URL is not valid, or `url`, `start`, `layers` or `transcoding` are for
            another type.
        Conflict: Another ingress of the room has the identity.
    """
    before = get(tx, app, ingress_id)
    if before.input_type != "url" and (changes.url is not None or changes.start is not None):
        raise Invalid("url and start: only an ingress of the type url has them.", code="url_not_wanted")
    if changes.url is not None:
        check_url(changes.url)
    if changes.identity is not None and changes.identity != before.identity:
        check_identity(changes.identity, "participantIdentity")
    livekit_room = before.livekit_room if changes.room is None else known_or_new(tx, app, changes.room)
    after = replace(
        before,
        livekit_room=livekit_room,
        identity=changes.identity or before.identity,
        name=before.name if changes.name is None else changes.name,
        metadata=before.metadata if changes.metadata is None else changes.metadata,
        transcoding=changes.transcoding or before.transcoding,
        layers=changes.layers or before.layers,
        start=changes.start or before.start,
        enabled=before.enabled if changes.enabled is None else changes.enabled,
        url=before.url if changes.url is None else masked(changes.url),
        updated_at=now_ms(),
    )
    _check_layers(after.input_type, after.layers, after.transcoding)
    if changes.transcoding is not None:
        _check_transcoding(after.input_type, after.engine, changes.transcoding)
    if (after.livekit_room, after.identity) != (before.livekit_room, before.identity):
        _check_free(tx, after.livekit_room, after.identity, other_than=ingress_id)
    return before, after


def change(
    tx: Transaction, app: App, sealer: Sealer, ingress_id: str, changes: Changes, run: Run | None = None
) -> Ingress:
    """Change the given fields of an ingress.

    Raises:
        Problem: As `changed`.
    """
    _, after = changed(tx, app, ingress_id, changes)
    if run is not None:
        after = replace(after, livekit_id=run.livekit_id)
    store.update_ingress(tx, after)
    if changes.url is not None:
        store.set_sealed_url(tx, ingress_id, sealer.seal(changes.url.encode()))
    return after


def rotate(tx: Transaction, app: App, ingress_id: str, run: Run | None = None) -> tuple[Ingress, str]:
    """Replace an ingress's key; the old one is no longer valid.

    Raises:
        NotFound: The app has no such ingress.
        Conflict: It pulls a URL, and so has no key.
    """
    before = check_has_key(get(tx, app, ingress_id))
    run = run or Run(livekit_id=before.livekit_id, url=before.url)
    key = run.key or _new_key()
    after = replace(before, hint=key[-4:], livekit_id=run.livekit_id, url=run.url, updated_at=now_ms())
    store.update_ingress(tx, after)
    store.set_digest(tx, ingress_id, digest(key))
    return after, key


def check_has_key(ingress: Ingress) -> Ingress:
    """The ingress.

    Raises:
        Conflict: It pulls a URL, and so has no key.
    """
    if ingress.input_type == "url":
        raise Conflict("This ingress pulls a URL and has no key to renew.", code="ingress_has_no_key")
    return ingress


def remove(tx: Transaction, ingress: Ingress) -> None:
    """Delete an ingress."""
    store.delete_ingress(tx, ingress.id)


def _check_free(tx: Transaction, livekit_room: str, identity: str, *, other_than: str | None = None) -> None:
    """Raise `Conflict` when another ingress of the room has the identity: LiveKit removes a participant when another
    one joins with its identity."""
    if store.has_identity(tx, livekit_room, identity, other_than=other_than):
        raise Conflict(
            "Another ingress of this room has this participantIdentity; LiveKit would remove one of them.",
            code="identity_in_use",
        )


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(24)


def _check_layers(input_type: InputType, layers: Layers, transcoding: Transcoding) -> None:
    if layers == "single":
        return
    if input_type == "whip":
        raise Invalid("layers: an encoder by WHIP sends its own layers (simulcast).", code="layers_not_wanted")
    if transcoding == "never":
        raise Invalid("layers: a ladder is encoded here, and transcoding is never.", code="ladder_is_transcoded")


def _check_transcoding(input_type: InputType, engine: Engine, transcoding: Transcoding) -> None:
    if input_type == "whip" and engine == "embedded" and transcoding == "always":
        raise Invalid(
            "transcoding: what comes by WHIP goes to LiveKit as it is; leave it out, or set it to auto or never.",
            code="transcoding_not_wanted",
        )
