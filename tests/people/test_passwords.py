"""Passwords: hashed with argon2id, off the loop, so many at a time, and as long for an account that there is not."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator

import pytest

from stagedoor.kernel.errors import Invalid, Unavailable
from stagedoor.people import passwords
from stagedoor.people.passwords import Passwords, check


@pytest.fixture
async def hasher() -> AsyncGenerator[Passwords]:
    made = Passwords()
    yield made
    await made.close()


async def test_a_password_is_stored_as_argon2id_and_found_again(hasher: Passwords) -> None:
    stored = await hasher.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert stored != await hasher.hash("correct horse")
    assert await hasher.verify(stored, "correct horse")
    assert not await hasher.verify(stored, "correct horsE")
    assert not await hasher.verify(None, "correct horse")
    assert not await hasher.verify("garbage", "correct horse")
    assert not hasher.outdated(stored)


async def test_one_character_in_two_forms_is_one_password(hasher: Passwords) -> None:
    stored = await hasher.hash("caf\u00e9 cafe horse")
    assert await hasher.verify(stored, "cafe\u0301 cafe horse")
    assert await hasher.verify(await hasher.hash("\ud800 and others"), "\ud800 and others")


async def test_an_account_that_there_is_not_takes_as_long(hasher: Passwords) -> None:
    stored = await hasher.hash("correct horse")
    await hasher.verify(None, "x")
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(7):
        for known in (True, False):
            began = time.perf_counter()
            await hasher.verify(stored if known else None, "wrong horse")
            taken[known].append(time.perf_counter() - began)
    ratio = statistics.median(taken[True]) / statistics.median(taken[False])
    assert 0.5 < ratio < 2.0


async def test_the_loop_goes_on_meanwhile(hasher: Passwords) -> None:
    work = asyncio.create_task(hasher.hash("correct horse"))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100


async def test_so_many_wait_for_their_turn(hasher: Passwords) -> None:
    waiting = [asyncio.create_task(hasher.hash("correct horse")) for _ in range(passwords.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await hasher.hash("correct horse")
    assert refused.value.code == "too_many_sign_ins_under_way"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await hasher.hash("correct horse")


@pytest.mark.parametrize(
    "password",
    [
        "x" * (passwords.SHORTEST - 1),
        "correct horse" * 16,
        "aaaaaaaaaaaaaaa",
        "ada.lovelace@example.com",
        " Ada.Lovelace ",
        "",
    ],
)
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(password, "ada.lovelace@example.com")
    assert refused.value.code == "bad_password"
    if password:
        assert password not in refused.value.detail


def test_any_other_password_will_do() -> None:
    for password in ("correct horse", "1234567890", "пароль-и-ещё", "🐎🔋📎 ok and so on"):
        check(password, "ada@example.com")
