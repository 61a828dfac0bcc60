"""A slug stays with its organisation for as long as a join token for its rooms may live."""

from __future__ import annotations

import pytest

from stagedoor.kernel.errors import Conflict
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import AppSettings, Organisation
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.tenancy.token_settings import TokenSettings

HOUR = 3_600


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def pass_by(self, seconds: int) -> None:
        self.now += seconds * 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("stagedoor.tenancy.apps.now_ms", lambda: made.now)
    return made


def two(tx: Transaction) -> tuple[Organisation, Organisation]:
    return organisations.create(tx, "One", None), organisations.create(tx, "Other", None)


def brief(tx: Transaction, organisation: Organisation, ttl: int) -> None:
    """An app that is there and gone."""
    app = apps.create(tx, organisation, "show", None, AppSettings(TokenSettings(max_token_ttl=ttl)))
    apps.delete(tx, app)


def refused(tx: Transaction, organisation: Organisation) -> bool:
    try:
        with tx.savepoint():
            apps.delete(tx, apps.create(tx, organisation, "show", None, AppSettings(TokenSettings(max_token_ttl=1))))
    except Conflict as conflict:
        return conflict.code == "slug_reserved"
    return False


async def test_another_organisation_waits_until_the_last_token_is_over(database: Database, clock: Clock) -> None:
    one, other = await database.write(two)
    await database.write(lambda tx: brief(tx, one, HOUR))
    assert await database.write(lambda tx: refused(tx, other))
    clock.pass_by(HOUR - 1)
    assert await database.write(lambda tx: refused(tx, other))
    clock.pass_by(1)
    assert not await database.write(lambda tx: refused(tx, other))


async def test_its_own_organisation_does_not_wait(database: Database, clock: Clock) -> None:
    one, _ = await database.write(two)
    for _ in range(3):
        await database.write(lambda tx: brief(tx, one, HOUR))
        clock.pass_by(1)


async def test_coming_back_for_a_moment_does_not_shorten_the_wait(database: Database, clock: Clock) -> None:
    one, other = await database.write(two)
    await database.write(lambda tx: brief(tx, one, HOUR))
    await database.write(lambda tx: brief(tx, one, 1))
    clock.pass_by(60)
    assert await database.write(lambda tx: refused(tx, other))
    clock.pass_by(HOUR)
    assert not await database.write(lambda tx: refused(tx, other))


async def test_a_shorter_life_of_tokens_does_not_shorten_the_wait(database: Database, clock: Clock) -> None:
    one, other = await database.write(two)

    def live_and_die(tx: Transaction) -> None:
        app = apps.create(tx, one, "show", None, AppSettings(TokenSettings(max_token_ttl=HOUR)))
        shorter = app.settings.changed({"max_token_ttl": 1})
        apps.delete(tx, apps.update(tx, OPERATOR, "show", name=None, settings=shorter))

    await database.write(live_and_die)
    clock.pass_by(60)
    assert await database.write(lambda tx: refused(tx, other))
    clock.pass_by(HOUR)
    assert not await database.write(lambda tx: refused(tx, other))


async def test_the_wait_outlives_the_organisation(database: Database, clock: Clock) -> None:
    one, other = await database.write(two)
    await database.write(lambda tx: brief(tx, one, HOUR))
    await database.write(lambda tx: organisations.delete(tx, one))
    clock.pass_by(60)
    assert await database.write(lambda tx: refused(tx, other))
