"""Who may be in a room, and as what: permissions never widen, whatever the facts."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.access.room_access import Standing, admitted_role
from stagedoor.access.room_access_store import RoomAccess
from stagedoor.access.room_roles import DEFAULT_ROLES, ROLE_ACTIONS, ROOM_ACTIONS, ROOM_ROLES, RoomRole, permissions_in
from stagedoor.access.settings import AccessLevel
from stagedoor.access.user_identities import identity_for, user_of
from stagedoor.kernel.errors import Forbidden
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.people.nouns import ROLES, Role, User
from stagedoor.rooms.nouns import Plan

ADA = "usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"
LEVELS: tuple[AccessLevel, ...] = ("public", "organisation", "invited")
VOICE = Plan("ses_1", "voice", "", (), None, None, None, None, 0, 0, None)


def user(*, operator: bool = False, disabled: bool = False) -> User:
    return User(ADA, "ada@example.com", "Ada", None, None, None, operator, 1 if disabled else None, 0, 0)


def role_in(standing: Standing, access: RoomAccess) -> RoomRole | None:
    try:
        return admitted_role(standing, access)
    except Forbidden:
        return None


STANDINGS = st.builds(
    Standing,
    st.none() | st.builds(user, operator=st.booleans(), disabled=st.booleans()),
    st.none() | st.sampled_from(ROLES),
    st.none() | st.sampled_from(ROOM_ROLES),
    st.none() | st.just(4_000_000_000_000),
)
INVITED = st.sampled_from([(), (ADA,), ("usr_other",)])
EMAILS = st.sampled_from([(), ("ada@example.com",), ("eve@example.com",)])


def test_each_role_may_do_more_than_the_next_and_only_what_there_is() -> None:
    assert tuple(ROLE_ACTIONS) == ROOM_ROLES
    for more, less in itertools.pairwise(ROOM_ROLES):
        assert ROLE_ACTIONS[more] > ROLE_ACTIONS[less]
    assert ROLE_ACTIONS["host"] == frozenset(ROOM_ACTIONS)
    defaults = [ROOM_ROLES.index(DEFAULT_ROLES[role]) for role in ROLES]
    assert defaults == sorted(defaults)


def test_a_listener_publishes_nothing_and_no_role_changes_its_own_metadata() -> None:
    assert permissions_in("listener").can_publish is False
    assert permissions_in("listener").can_publish_sources == ()
    for role in ROOM_ROLES:
        assert not permissions_in(role).can_update_metadata
        spoken = permissions_in(role, VOICE)
        assert set(spoken.can_publish_sources) <= {"microphone", "screen_share_audio"}
        assert set(spoken.can_publish_sources) <= set(permissions_in(role).can_publish_sources)


@given(standing=STANDINGS, users=INVITED, emails=EMAILS, less=st.sampled_from(ROLES))
def test_permissions_never_widen(
    standing: Standing, users: tuple[str, ...], emails: tuple[str, ...], less: Role
) -> None:
    found = [role_in(standing, RoomAccess(level, users, emails)) for level in LEVELS]
    public, organisation, invited = found
    # A narrower level admits no more, and gives no more to those that it admits.
    for wider, narrower in ((public, organisation), (public, invited)):
        assert narrower is None or narrower == wider
    who = standing.user
    if who is None or who.disabled_at is not None or standing.banned_until is not None:
        assert found == [None, None, None]
        return
    for level, role in zip(LEVELS, found, strict=True):
        access = RoomAccess(level, users, emails)
        if standing.assigned is not None and role is not None:
            assert role == standing.assigned
        # A role in the room admits no user who would not be admitted without it.
        bare = role_in(Standing(who, standing.member), access)
        assert (role is None) == (bare is None)
        if standing.member is not None and ROLES.index(less) >= ROLES.index(standing.member):
            lower = role_in(Standing(who, less), access)
            assert lower is None or (bare is not None and ROLE_ACTIONS[lower] <= ROLE_ACTIONS[bare])
        # An e-mail that no organisation vouches for opens nothing.
        if standing.member is None and not who.operator and who.id not in users:
            assert role_in(Standing(who, None), RoomAccess("invited", users, ("ada@example.com",))) is None


@given(devices=st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=6))
def test_each_device_is_one_participant(devices: list[str]) -> None:
    present: dict[str, ParticipantSnapshot] = {}
    for device in devices:
        identity, mark = identity_for(user(), device, present.values())
        assert user_of(identity) == ADA
        present[identity] = ParticipantSnapshot("PA_1", identity, attributes={"stagedoor.device": mark})
    assert len(present) == len(set(devices))
    assert ADA in present


def test_only_the_form_of_an_identity_means_a_user() -> None:
    assert user_of(f"{ADA}:0123abcd") == ADA
    for other in ("usr_1", f"{ADA}:", f"{ADA}:0123abcd0", f"x{ADA}", "phone-42"):
        assert user_of(other) is None
