"""The one function that says what a principal may see, tried on every table that asks it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.nouns import ApiKey, App, AppSettings, Organisation
from stagedoor.tenancy.principals import OPERATOR, Principal


@dataclass(frozen=True)
class World:
    """Three organisations with two apps each, and keys of every bound."""

    organisations: list[Organisation]
    apps: list[App]
    keys: list[ApiKey]


def populate(tx: Transaction) -> World:
    found = store.list_organisations(tx, OPERATOR, after=None, limit=100)
    if not found:
        for number in range(3):
            made = organisations.create(tx, f"Org {number}", None)
            for letter in "ab":
                app = apps.create(tx, made, f"app{number}{letter}", None, AppSettings())
                _key(tx, made.id, app.id)
            _key(tx, made.id, None)
        _key(tx, None, None)
    return World(
        store.list_organisations(tx, OPERATOR, after=None, limit=100),
        store.list_apps(tx, OPERATOR, organisation_id=None, after=None, limit=100),
        store.list_keys(tx, OPERATOR, after=None, limit=100),
    )


def _key(tx: Transaction, organisation_id: str | None, app_id: str | None) -> None:
    keys.create(
        tx,
        OPERATOR,
        name="x",
        scopes=["apps:read"],
        organisation_id=organisation_id,
        app_id=app_id,
        expires_at=None,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_nothing_is_seen_from_outside_of_the_bounds(database: Database, data: st.DataObject) -> None:
    world = await database.write(populate)
    app = data.draw(st.none() | st.sampled_from(world.apps))
    if app is not None:
        me = Principal("key_me", frozenset(), app.organisation_id, app.id)
    else:
        mine = data.draw(st.none() | st.sampled_from(world.organisations))
        me = Principal("key_me", frozenset(), None if mine is None else mine.id)

    def may(organisation_id: str | None, app_id: str | None) -> bool:
        if me.organisation_id is not None and organisation_id != me.organisation_id:
            return False
        return me.app_id is None or app_id == me.app_id

    def look(tx: Transaction) -> None:
        seen_organisations = store.list_organisations(tx, me, after=None, limit=100)
        assert seen_organisations == [item for item in world.organisations if may(item.id, None)]
        seen_apps = store.list_apps(tx, me, organisation_id=None, after=None, limit=100)
        assert seen_apps == [item for item in world.apps if may(item.organisation_id, item.id)]
        seen_keys = store.list_keys(tx, me, after=None, limit=100)
        assert seen_keys == [item for item in world.keys if may(item.organisation_id, item.app_id)]
        for organisation in world.organisations:
            for reference in (organisation.id, organisation.slug):
                assert (store.find_organisation(tx, me, reference) == organisation) == (
                    organisation in seen_organisations
                )
        for item in world.apps:
            for reference in (item.id, item.slug):
                assert (store.find_app(tx, me, reference) == item) == (item in seen_apps)
        for key in world.keys:
            assert (store.find_key(tx, me, key.id) == key) == (key in seen_keys)

    await database.read(look)
