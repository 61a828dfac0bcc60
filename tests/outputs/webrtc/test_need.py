"""When a camera is to be in its room, as a matter of policy alone."""

from __future__ import annotations

from typing import Final

import pytest

from stagedoor.outputs.webrtc.need import Need
from stagedoor.outputs.webrtc.settings import CameraBridge

FIRST: Final = {"RM_1"}
SECOND: Final = {"RM_2"}
NOBODY: Final = set[str]()


@pytest.mark.parametrize(
    ("policy", "alone", "watched"), [("off", False, False), ("demand", False, True), ("always", True, True)]
)
def test_the_policy_decides(policy: CameraBridge, alone: bool, watched: bool) -> None:
    assert Need(policy).evaluate(0, NOBODY) is alone
    assert Need(policy).evaluate(0, FIRST) is watched


def test_it_lingers_from_when_the_last_one_left() -> None:
    need = Need("demand", linger=10)
    assert need.evaluate(0, FIRST)
    assert need.changes_at() is None
    assert need.evaluate(100, NOBODY)
    assert need.changes_at() == 110
    assert need.evaluate(105, NOBODY)
    assert not need.evaluate(110, NOBODY)
    assert need.evaluate(111, FIRST)


@pytest.mark.parametrize("policy", ["demand", "always"])
def test_a_removed_camera_stays_away_while_the_same_people_are_there(policy: CameraBridge) -> None:
    need = Need(policy, linger=10)
    assert need.evaluate(0, FIRST)
    need.on_removed("RM_1")
    assert not need.evaluate(1, FIRST)
    assert not need.evaluate(50, FIRST)
    assert not need.evaluate(51, NOBODY)
    assert not need.evaluate(52, FIRST), "who reloads a page does not call it back"
    assert not need.evaluate(53, NOBODY)
    assert not need.evaluate(63, NOBODY)
    assert need.evaluate(64, FIRST), "somebody came to a room that had been empty"
    assert need.evaluate(65, FIRST)


@pytest.mark.parametrize("policy", ["demand", "always"])
def test_a_removed_camera_comes_to_the_next_session_of_the_room(policy: CameraBridge) -> None:
    need = Need(policy, linger=10)
    need.evaluate(0, FIRST)
    need.on_removed("RM_1")
    assert not need.evaluate(1, NOBODY)
    assert need.evaluate(2, SECOND)


def test_a_camera_removed_after_a_restart_of_livekit_stays_away() -> None:
    need = Need("demand", linger=10)
    assert need.evaluate(0, FIRST)
    assert need.evaluate(1, SECOND)
    need.on_removed("RM_1")
    assert not need.evaluate(2, SECOND)


def test_always_does_not_make_a_deleted_room_again_by_itself() -> None:
    need = Need("always", linger=10)
    need.evaluate(0, NOBODY)
    need.on_removed("RM_1")
    assert not need.evaluate(1, NOBODY)
    assert not need.evaluate(1_000, NOBODY)
    assert need.evaluate(1_001, SECOND)


def test_a_new_connection_is_not_a_removed_one_and_knows_who_was_there() -> None:
    need = Need("demand", linger=10)
    need.evaluate(0, FIRST)
    need.on_removed("RM_1")
    again = need.reset("demand")
    assert again.evaluate(5, NOBODY)
    assert not again.evaluate(15, NOBODY)
    assert not need.reset("off").evaluate(5, FIRST)
