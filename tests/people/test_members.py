"""Members on both engines: of two who change an organisation at once, neither leaves it without an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.access.roles import ROLE_SCOPES, may_give
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.people import members, store, users
from stagedoor.people.nouns import ROLES, Role, User
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import organisations
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import SCOPES


def anything(_: Role) -> bool:
    return True


async def organisation(database: Database, *roles: Role) -> tuple[str, list[User]]:
    """A new organisation with a member of each of the roles."""

    def make(tx: Transaction) -> tuple[str, list[User]]:
        made = organisations.create(tx, "Acme", "acme")
        people = [
            users.create(tx, email=f"{number}@example.com", name=None, operator=False) for number in range(len(roles))
        ]
        for user, role in zip(people, roles, strict=True):
            users.join(tx, user, made.id, role)
        return made.id, people

    return await database.write(make)


async def outcomes(*work: Awaitable[object]) -> list[type[BaseException] | None]:
    """What each of the calls, which are made at once, raises."""
    done = await asyncio.gather(*work, return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else None for one in done]


async def owners(database: Database, organisation_id: str) -> int:
    found = await database.read(lambda tx: store.members_of(tx, organisation_id, after=None, limit=10))
    return sum(member.role == "owner" for member in found)


@pytest.mark.parametrize("round_", range(5))
async def test_owners_who_go_at_once_leave_one(database: Database, round_: int) -> None:
    del round_
    acme, people = await organisation(database, "owner", "owner", "owner")

    def leave(user: User) -> Awaitable[object]:
        return database.write(lambda tx: members.remove(tx, acme, user.id, anything))

    def step_down(user: User) -> Awaitable[object]:
        return database.write(lambda tx: members.change_role(tx, acme, user.id, "admin", anything))

    raised = await outcomes(leave(people[0]), step_down(people[1]), leave(people[2]))
    assert sorted(map(str, raised)) == sorted(map(str, [None, None, Conflict]))
    assert await owners(database, acme) == 1


async def test_of_those_who_accept_at_once_one_joins(database: Database) -> None:
    acme, _ = await organisation(database, "owner")
    guests = [
        await database.write(
            lambda tx, number=number: users.create(tx, email=f"guest{number}@example.com", name=None, operator=False)
        )
        for number in range(5)
    ]
    _, secret = await database.write(
        lambda tx: members.invite(
            tx, acme, may_give=anything, by="key_1", role="member", email=None, seconds=members.SHORTEST_SECONDS
        )
    )
    raised = await outcomes(
        *(database.write(lambda tx, user=user: members.accept(tx, secret, user)) for user in guests)
    )
    assert sorted(map(str, raised)) == sorted(map(str, [None, *[NotFound] * 4]))
    assert await database.read(lambda tx: store.count_members(tx, acme)) == 2


async def test_one_user_who_accepts_twice_at_once_joins_once(database: Database) -> None:
    acme, _ = await organisation(database, "owner")
    guest = await database.write(lambda tx: users.create(tx, email="guest@example.com", name=None, operator=False))

    def invitation(tx: Transaction) -> str:
        return members.invite(tx, acme, may_give=anything, by="key_1", role="member", email=None, seconds=3_600)[1]

    secrets = [await database.write(invitation) for _ in range(3)]
    raised = await outcomes(
        *(database.write(lambda tx, secret=secret: members.accept(tx, secret, guest)) for secret in secrets)
    )
    assert sorted(map(str, raised)) == sorted(map(str, [None, Conflict, Conflict]))


@given(scopes=st.frozensets(st.sampled_from(sorted(SCOPES))), role=st.sampled_from(ROLES))
def test_a_role_that_is_given_is_never_wider_than_who_gives_it(scopes: frozenset[str], role: Role) -> None:
    caller = Principal("key_1", scopes, "org_1")
    assert may_give(caller, role) == (not ROLE_SCOPES[role] - scopes)
