"""Which identities and names are given out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stagedoor.access.identities import check_identity, check_name
from stagedoor.api.wire import Name
from stagedoor.kernel.errors import Invalid

GIVEN = [
    *("None", "null", "undefined", "phone-42", "a/b?c#d%2Fe", "%2e%2e", "...", "../x", "Stagedoor:x", " a", "0", "+"),
    "a" * 256,
    "a" * 254 + "é",
    "😀" * 64,
    "\u202egnp.exe",
    "👩\u200d👩\u200d👧",
]
REFUSED = [
    ("stagedoor:scribe", "identity_reserved"),
    ("a" * 257, "identity_too_long"),
    ("a" * 255 + "é", "identity_too_long"),
    ("😀" * 70, "identity_too_long"),
    ("会" * 90, "identity_too_long"),
    *(
        (text, "identity_blank")
        for text in ("", "   ", "\u00a0", "\u200b", "\n", "\t \u2028", "\u3164", "\u2800", "\ufe0f")
    ),
    *((text, "identity_controls") for text in ("a\nb", "a\tb", "a\x00", "\x1b[2Ja", "a\x7f", "a\x9bb", "a\u2028b")),
    (".", "identity_unaddressable"),
    ("..", "identity_unaddressable"),
]


@pytest.mark.parametrize("identity", GIVEN)
def test_what_livekit_takes_and_a_person_can_see_is_given(identity: str) -> None:
    check_identity(identity)


@pytest.mark.parametrize(("identity", "code"), REFUSED)
def test_an_identity_that_cannot_be_joined_seen_or_addressed_is_refused(identity: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_identity(identity)
    assert refused.value.code == code


def test_the_sentence_names_the_limit_in_bytes() -> None:
    with pytest.raises(Invalid, match="257 bytes in UTF-8; LiveKit takes 256 bytes"):
        check_identity("a" * 255 + "é")


# Blanks of every kind, zero-width characters, fillers, and what only changes the character before it.
UNSEEN = st.characters(categories=["Zs", "Zl", "Zp", "Cf"]) | st.sampled_from(
    "\u034f\u115f\u1160\u3164\uffa0\u2800\ufe0f"
)
names = TypeAdapter(Name)


@given(st.text(UNSEEN, min_size=1, max_size=20))
def test_a_name_that_shows_nothing_is_refused(blank: str) -> None:
    with pytest.raises(Invalid, match="name: it shows nothing") as refused:
        check_name(blank)
    assert refused.value.code == "name_blank"
    with pytest.raises(ValidationError):
        names.validate_python(blank)


@given(st.text(UNSEEN, max_size=5), st.sampled_from("aÄ0?会😀👧ب") | st.characters(categories=["Lu", "Nd"]))
def test_a_name_with_one_character_to_see_is_taken(around: str, seen: str) -> None:
    check_name(around + seen + around)
    spaces = " " * len(around)
    assert names.validate_python(spaces + seen + spaces) == spaces + seen + spaces


def test_an_empty_name_of_a_participant_is_none() -> None:
    check_name("")
    check_name(None)
