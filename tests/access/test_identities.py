"""Which identities are given out."""

from __future__ import annotations

import pytest

from stagedoor.access.identities import check_identity
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
    (".", "identity_unaddressable"),
    ("..", "identity_unaddressable"),
]


@pytest.mark.parametrize("identity", GIVEN)
def test_what_livekit_lets_in_and_a_person_can_see_is_given(identity: str) -> None:
    check_identity(identity)


@pytest.mark.parametrize(("identity", "code"), REFUSED)
def test_what_nobody_can_join_see_or_address_is_refused(identity: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_identity(identity)
    assert refused.value.code == code


def test_the_sentence_names_the_limit_in_bytes() -> None:
    with pytest.raises(Invalid, match="257 bytes in UTF-8; LiveKit takes 256 bytes"):
        check_identity("a" * 255 + "é")
