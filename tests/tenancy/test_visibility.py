"""Tenants: what a principal may see, as queries of a real database answer it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.app.product import Product
from stagedoor.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from stagedoor.storage import Database, Transaction, migrate, open_database
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.nouns import App, AppSettings, Organisation
from stagedoor.tenancy.principals import OPERATOR, Principal
from stagedoor.tenancy.scopes import ADMIN, SCOPES, expand

EVERY_TABLE = Product


@dataclass(frozen=True)
class World:
    """Two tenants, the first with two apps."""

    database: Database
    ours: Organisation
    theirs: Organisation
    live: App
    cams: App
    foreign: App


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    url = f"sqlite:///{tmp_path / 'stagedoor.db'}"
    await migrate(url)
    database = await open_database(url)

    def make(tx: Transaction) -> World:
        ours, theirs = organisations.create(tx, "Ours", None), organisations.create(tx, "Theirs", None)
        live, cams = (apps.create(tx, ours, slug, None, AppSettings()) for slug in ("live", "cams"))
        return World(database, ours, theirs, live, cams, apps.create(tx, theirs, "foreign", None, AppSettings()))

    yield await database.write(make)
    await database.close()


def principal(organisation: Organisation | None = None, app: App | None = None, *scopes: str) -> Principal:
    return Principal(
        "key_1", expand(frozenset(scopes or SCOPES)), organisation.id if organisation else None, app.id if app else None
    )


async def test_each_sees_its_own(world: World) -> None:
    def seen(who: Principal) -> tuple[list[str], list[str]]:
        return (
            [item.slug for item in seen_organisations[who]],
            sorted(item.slug for item in seen_apps[who]),
        )

    callers = [OPERATOR, principal(world.ours), principal(world.ours, world.cams), principal(world.theirs)]
    seen_organisations: dict[Principal, list[Organisation]] = {}
    seen_apps: dict[Principal, list[App]] = {}
    for who in callers:
        seen_organisations[who] = await world.database.read(
            lambda tx, who=who: store.list_organisations(tx, who, after=None, limit=100)
        )
        seen_apps[who] = await world.database.read(
            lambda tx, who=who: store.list_apps(tx, who, organisation_id=None, after=None, limit=100)
        )
    assert [seen(who) for who in callers] == [
        (["ours", "theirs"], ["cams", "foreign", "live"]),
        (["ours"], ["cams", "live"]),
        ([], ["cams"]),
        (["theirs"], ["foreign"]),
    ]


@pytest.mark.parametrize("reference", ["slug", "id"])
async def test_anothers_is_as_unknown(world: World, reference: str) -> None:
    target = world.foreign.slug if reference == "slug" else world.foreign.id
    for who in (principal(world.ours), principal(world.ours, world.live)):
        with pytest.raises(NotFound) as anothers:
            await world.database.read(lambda tx, who=who: apps.get(tx, who, target))
        with pytest.raises(NotFound) as unknown:
            await world.database.read(lambda tx, who=who: apps.get(tx, who, "unknown"))
        assert anothers.value.document() == unknown.value.document()


async def test_a_key_is_stored_as_a_hash_and_opens_until_it_is_revoked(world: World) -> None:
    key, secret = await world.database.write(
        lambda tx: keys.create(
            tx,
            OPERATOR,
            name="k",
            scopes=["rooms:write"],
            organisation_id=world.ours.id,
            app_id=world.live.id,
            expires_at=None,
        )
    )
    file = Path(world.database.url.removeprefix("sqlite:///"))
    assert all(secret.encode() not in part.read_bytes() for part in file.parent.iterdir())
    authenticator = Authenticator(world.database, "operator")
    caller = await authenticator.authenticate(secret)
    assert caller.scopes == {"rooms:read", "rooms:write"}
    assert (caller.organisation_id, caller.app_id) == (world.ours.id, world.live.id)

    def revoke(tx: Transaction) -> None:
        keys.revoke(tx, OPERATOR, key.id)
        tx.after_commit(authenticator.forget)

    await world.database.write(revoke)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(secret)


async def test_nobody_gives_more_than_they_have(world: World) -> None:
    limited = principal(world.ours, None, "keys:write", "rooms:read")

    def give(scopes: list[str], organisation_id: str | None, app_id: str | None = None) -> None:
        def make(tx: Transaction) -> None:
            keys.create(
                tx,
                limited,
                name="k",
                scopes=scopes,
                organisation_id=organisation_id,
                app_id=app_id,
                expires_at=None,
            )

        attempts.append(make)

    attempts: list[object] = []
    give(["rooms:write"], world.ours.id)
    give([ADMIN], world.ours.id)
    give(["rooms:read"], None)
    give(["rooms:read"], world.theirs.id)
    for attempt in attempts:
        with pytest.raises(Forbidden):
            await world.database.write(attempt)  # pyright: ignore[reportArgumentType]


async def test_a_stronger_key_cannot_be_changed(world: World) -> None:
    strong, _ = await world.database.write(
        lambda tx: keys.create(
            tx, OPERATOR, name="k", scopes=[ADMIN], organisation_id=world.ours.id, app_id=None, expires_at=None
        )
    )
    weak = principal(world.ours, None, "keys:write")
    with pytest.raises(Forbidden):
        await world.database.write(
            lambda tx: keys.update(tx, weak, strong.id, name="mine", scopes=None, expires_at=None, change_expiry=False)
        )


async def test_a_slug_is_kept_from_others_while_tokens_may_live(world: World) -> None:
    await world.database.write(lambda tx: apps.delete(tx, world.live))
    with pytest.raises(Conflict) as kept:
        await world.database.write(lambda tx: apps.create(tx, world.theirs, "live", None, AppSettings()))
    assert kept.value.code == "slug_reserved"
    again = await world.database.write(lambda tx: apps.create(tx, world.ours, "live", None, AppSettings()))
    assert again.slug == "live"


@pytest.mark.parametrize("slug", ["", "Live", "li-ve", "li ve", "lïve", "x" * 33, "live/", "live\n"])
async def test_slugs_that_would_break_room_names_are_refused(world: World, slug: str) -> None:
    with pytest.raises(Invalid):
        await world.database.write(lambda tx: apps.create(tx, world.ours, slug, None, AppSettings()))


@given(st.frozensets(st.sampled_from(sorted(SCOPES))), st.frozensets(st.sampled_from(sorted(SCOPES)), min_size=1))
def test_covering_is_having_every_scope(own: frozenset[str], wanted: frozenset[str]) -> None:
    covers = Principal("key_1", expand(own)).covers(wanted)
    assert covers is (ADMIN in own or (ADMIN not in wanted and expand(wanted) <= expand(own)))
