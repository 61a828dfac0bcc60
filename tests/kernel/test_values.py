"""The quick way to change a frozen value does what the usual one does."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stagedoor.kernel.values import replace
from stagedoor.rooms.nouns import Participant, Session, Track
from tests.support.rooms_people import came, session, track


@pytest.mark.parametrize("value", [session(), came(), track()])
def test_it_is_as_dataclasses_has_it(value: Session | Participant | Track) -> None:
    for field in dataclasses.fields(value):
        change: dict[str, Any] = {field.name: "changed"}
        assert replace(value, **change) == dataclasses.replace(value, **change)
    assert replace(value) == value
    assert replace(value) is not value


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        replace(session(), nothing=1)
