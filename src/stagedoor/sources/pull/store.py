"""What is to be pulled, as the tables of ingresses have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_, select, update

from stagedoor.sources.ingress.nouns import Start
from stagedoor.sources.ingress.store import ingresses, states
from stagedoor.storage import Database, Transaction

_PULLED: Final = (ingresses.c.input_type == "url", ingresses.c.engine == "embedded", ingresses.c.enabled)
"""Of an ingress that Stagedoor pulls."""


@dataclass(frozen=True, slots=True)
class Due:
    """An ingress that no node pulls.

    Attributes:
        version: Changes with the ingress.
        on_demand: Whether it is pulled only while a participant is in the room, or a viewer watches.
        may_serve_pictures: Whether it is a URL of HTTP, whose server may answer with pictures.
    """

    ingress_id: str
    app_id: str
    livekit_room: str
    identity: str
    version: int
    on_demand: bool
    may_serve_pictures: bool


def list_due(tx: Transaction, now: int) -> list[Due]:
    """The enabled ingresses with a URL that no node pulls now, and whose pull is not finished."""
    query = (
        select(
            ingresses.c.id,
            ingresses.c.app_id,
            ingresses.c.livekit_room,
            ingresses.c.identity,
            ingresses.c.updated_at,
            ingresses.c.start,
            ingresses.c.url,
        )
        .select_from(ingresses.outerjoin(states, states.c.ingress_id == ingresses.c.id))
        .where(
            *_PULLED,
            or_(states.c.lease_until.is_(None), states.c.lease_until < now),
            or_(
                states.c.finished_version.is_(None),
                states.c.finished_version != ingresses.c.updated_at,
                states.c.finished_until <= now,
            ),
        )
        .order_by(ingresses.c.id)
    )
    return [
        Due(
            row.id,
            row.app_id,
            row.livekit_room,
            row.identity,
            row.updated_at,
            on_demand=row.start == "demand",
            may_serve_pictures=_is_http(row.url),
        )
        for row in tx.execute(query)
    ]


def finish(tx: Transaction, one: Due, until: int | None = None) -> None:
    """Let no node pull it again until the ingress is changed, or the time has come if there is one."""
    values = {"finished_version": one.version, "finished_until": until}
    tx.execute(update(states).where(states.c.ingress_id == one.ingress_id).values(values))


async def starts_of(database: Database, app_id: str, livekit_room: str) -> set[Start]:
    """When those enabled ingresses of a room are pulled whose servers may answer with pictures."""
    query = select(ingresses.c.start, ingresses.c.url).where(
        ingresses.c.app_id == app_id,
        ingresses.c.livekit_room == livekit_room,
        *_PULLED,
    )
    return await database.read(lambda tx: {row.start for row in tx.execute(query) if _is_http(row.url)})


async def is_pulled(database: Database, app_id: str, livekit_room: str) -> bool:
    """Whether an enabled ingress of a room is pulled, so that its media comes by itself."""
    query = select(ingresses.c.id).where(
        ingresses.c.app_id == app_id,
        ingresses.c.livekit_room == livekit_room,
        *_PULLED,
    )
    return await database.read(lambda tx: tx.execute(query.limit(1)).first() is not None)


def _is_http(url: str | None) -> bool:
    return url is not None and url.lower().startswith(("http://", "https://"))


def has_pulls(tx: Transaction) -> bool:
    """Whether there is anything to pull, by whichever node."""
    return tx.execute(select(ingresses.c.id).where(*_PULLED).limit(1)).first() is not None
