"""How often sign-ins may fail, and that the failures of others keep no user out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.errors import TooMany
from stagedoor.people import limits
from stagedoor.people.limits import SignInLimits, network_of

ADA = "ada@example.com"


def refused(of: SignInLimits, email: str, address: str, browser: str | None = None) -> bool:
    try:
        of.begin(email, address, browser)
    except TooMany as problem:
        return problem.code == "too_many_sign_ins" and int(problem.headers["Retry-After"]) > 0
    return False


def test_an_account_at_an_address_fails_so_often() -> None:
    found = SignInLimits("secret")
    tries = [refused(found, ADA, "192.0.2.1") for _ in range(limits.OF_ACCOUNT_AT_ADDRESS + 1)]
    assert tries == [False] * limits.OF_ACCOUNT_AT_ADDRESS + [True]
    assert not refused(found, ADA, "192.0.2.2")
    assert not refused(found, "bob@example.com", "192.0.2.1")


def test_an_address_fails_so_often_for_all_accounts() -> None:
    found = SignInLimits("secret")
    tries = [refused(found, f"{number}@example.com", "192.0.2.1") for number in range(limits.OF_ADDRESS + 1)]
    assert tries == [False] * limits.OF_ADDRESS + [True]


def test_an_account_fails_so_often_from_everywhere() -> None:
    found = SignInLimits("secret")
    tries = [refused(found, ADA, f"192.0.2.{number}") for number in range(limits.OF_ACCOUNT + 1)]
    assert tries == [False] * limits.OF_ACCOUNT + [True]


def test_a_known_browser_signs_in_whatever_others_do() -> None:
    found = SignInLimits("secret")
    browser = found.known_browser(ADA)
    for number in range(limits.OF_ACCOUNT + 1):
        refused(found, ADA, f"192.0.2.{number}")
    for number in range(limits.OF_ADDRESS + 1):
        refused(found, f"{number}@example.com", "192.0.2.1")
    assert refused(found, ADA, "192.0.2.1")
    assert not refused(found, ADA, "192.0.2.1", browser)


def test_a_known_browser_fails_so_often() -> None:
    found = SignInLimits("secret")
    browser = found.known_browser(ADA)
    tries = [refused(found, ADA, "192.0.2.1", browser) for _ in range(limits.OF_BROWSER + 1)]
    assert tries == [False] * limits.OF_BROWSER + [True]


def test_a_browser_is_known_for_its_own_account_alone() -> None:
    found = SignInLimits("secret")
    for browser in (found.known_browser("bob@example.com"), SignInLimits("other").known_browser(ADA), "", "x.y"):
        fresh = SignInLimits("secret")
        tries = [refused(fresh, ADA, "192.0.2.1", browser) for _ in range(limits.OF_ACCOUNT_AT_ADDRESS + 1)]
        assert tries[-1]
        assert not refused(fresh, ADA, "192.0.2.1", found.known_browser(ADA))


def test_who_makes_up_a_new_browser_each_time_is_counted_all_the_same() -> None:
    found = SignInLimits("secret")
    tries = [refused(found, ADA, "192.0.2.1", f"{number}.x") for number in range(limits.OF_ACCOUNT_AT_ADDRESS + 1)]
    assert tries == [False] * limits.OF_ACCOUNT_AT_ADDRESS + [True]
    nonce, _, signature = found.known_browser(ADA).partition(".")
    assert refused(found, ADA, "192.0.2.1", f"{nonce}x.{signature}")


def test_what_succeeds_is_not_counted() -> None:
    found = SignInLimits("secret")
    for _ in range(limits.OF_ACCOUNT * 2):
        found.begin(ADA, "192.0.2.1", None).forget()
    assert not refused(found, ADA, "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "", True),
    ],
)
def test_addresses_of_one_subscriber_count_as_one(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


@given(email=st.text(), address=st.text(), browser=st.none() | st.text())
def test_whatever_is_sent_is_counted(email: str, address: str, browser: str | None) -> None:
    SignInLimits("secret").begin(email, address, browser).forget()
