"""Members of an organisation: invited, given roles, removed. An organisation keeps an owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.people import invitation_store, store, token_store, users
from stagedoor.people.nouns import Invitation, Member, Role, User
from stagedoor.people.secrets import digest, new_secret
from stagedoor.storage import Transaction

SHORTEST_SECONDS: Final = 60
LONGEST_SECONDS: Final = 30 * 86_400
"""For which an invitation may work."""

MOST_INVITATIONS: Final = 1_000
"""Of an organisation that wait."""

MOST_MEMBERS: Final = 10_000
"""Of an organisation."""

_LOCK: Final = "members"


MayGive = Callable[[Role], bool]
"""Whether the caller may give or take a role: none that may do more than the caller."""


def invite(
    tx: Transaction, organisation_id: str, *, may_give: MayGive, by: str, role: Role, email: str | None, seconds: int
) -> tuple[Invitation, str]:
    """Make an invitation; the second value is the secret of its link, which cannot be had again.

    Raises:
        Forbidden: The role may do more than the caller.
        Invalid: The time is too short or too long.
        TooMany: As many invitations wait as may.
    """
    if not may_give(role):
        raise _above()
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise Invalid("expiresIn: an invitation works for 1 minute to 30 days.", code="bad_expiry")
    if invitation_store.count_invitations(tx, organisation_id) >= MOST_INVITATIONS:
        raise TooMany(
            f"{MOST_INVITATIONS} invitations wait at the most.",
            code="too_many_invitations",
            extra={"limit": MOST_INVITATIONS},
        )
    now = now_ms()
    address = None if email is None else users.checked(email)
    invitation = Invitation(new_id("inv"), organisation_id, role, address, by, now, now + seconds * 1000)
    secret = new_secret("inv_")
    invitation_store.insert_invitation(tx, invitation, digest(secret))
    return invitation, secret


def invitation(tx: Transaction, secret: str) -> Invitation:
    """The invitation with this secret.

    Raises:
        NotFound: There is none, it was accepted or taken back, or it has expired.
    """
    found = invitation_store.invitation_by_digest(tx, digest(secret))
    if found is None or found.expires_at <= now_ms():
        raise _gone()
    return found


def accept(tx: Transaction, secret: str, user: User) -> Invitation:
    """Make the user a member, with the role of the invitation, which works no more.

    Raises:
        NotFound: As for `invitation`.
        Forbidden: The invitation is for another e-mail.
        Conflict: The user is a member already; the invitation stays.
        TooMany: The organisation has as many members as it may.
    """
    found = invitation(tx, secret)
    if found.email is not None and found.email != user.email:
        raise Forbidden("This invitation is for another e-mail address.", code="invitation_for_another")
    tx.lock(_LOCK, [found.organisation_id])
    if store.role_of(tx, user.id, found.organisation_id) is not None:
        raise Conflict("You are a member of this organisation already.", code="member_already")
    if store.count_members(tx, found.organisation_id) >= MOST_MEMBERS:
        raise TooMany(
            f"An organisation has {MOST_MEMBERS} members at the most.",
            code="too_many_members",
            extra={"limit": MOST_MEMBERS},
        )
    if not invitation_store.delete_invitation(tx, found.id):
        raise _gone()
    users.join(tx, user, found.organisation_id, found.role)
    return found


def take_back(tx: Transaction, organisation_id: str, invitation_id: str, may_give: MayGive) -> Invitation:
    """Delete an invitation.

    Raises:
        NotFound: The organisation has no such invitation.
        Forbidden: Its role may do more than the caller.
    """
    found = invitation_store.find_invitation(tx, organisation_id, invitation_id)
    if found is None:
        raise NotFound("There is no such invitation.", code="invitation_not_found")
    if not may_give(found.role):
        raise _above()
    invitation_store.delete_invitation(tx, found.id)
    return found


def get(tx: Transaction, organisation_id: str, user_id: str) -> Member:
    """The member with this user id.

    Raises:
        NotFound: The user is no member, or there is none.
    """
    found = store.find_member(tx, organisation_id, user_id)
    if found is None:
        raise NotFound("There is no such member.", code="member_not_found")
    return found


def organisation_of(tx: Transaction, user_id: str, reference: str) -> str:
    """The id of an organisation, by slug or id, that the user belongs to.

    Raises:
        NotFound: The user belongs to none of them, or there is none.
    """
    for one in store.memberships_of(tx, user_id):
        if reference in {one.organisation_id, one.slug}:
            return one.organisation_id
    raise NotFound("There is no such organisation.", code="organisation_not_found")


def change_role(tx: Transaction, organisation_id: str, user_id: str, role: Role, may_give: MayGive) -> Member:
    """Give a member another role.

    Raises:
        NotFound: The user is no member.
        Forbidden: The role of before or the new one may do more than the caller.
        Conflict: The organisation would have no owner.
    """
    tx.lock(_LOCK, [organisation_id])
    member = get(tx, organisation_id, user_id)
    if not (may_give(member.role) and may_give(role)):
        raise _above()
    if member.role == "owner" and role != "owner":
        _refuse_last_owner(tx, organisation_id, user_id)
    store.set_role(tx, user_id, organisation_id, role)
    return get(tx, organisation_id, user_id)


def remove(tx: Transaction, organisation_id: str, user_id: str, may_give: MayGive) -> Member:
    """End a membership, and the user's tokens there.

    Args:
        tx: The transaction.
        organisation_id: Of what.
        user_id: Whose.
        may_give: Which roles the caller may take; users who leave end their own membership, whatever it is.

    Raises:
        NotFound: The user is no member.
        Forbidden: The role may do more than the caller.
        Conflict: The organisation would have no owner.
    """
    tx.lock(_LOCK, [organisation_id])
    member = get(tx, organisation_id, user_id)
    if not may_give(member.role):
        raise _above()
    if member.role == "owner":
        _refuse_last_owner(tx, organisation_id, user_id)
    store.delete_membership(tx, user_id, organisation_id)
    token_store.delete_tokens(tx, user_id, organisation_id)
    return member


def _refuse_last_owner(tx: Transaction, organisation_id: str, user_id: str) -> None:
    """A disabled owner does not count, who could not act for the organisation."""
    if not store.has_owner_but(tx, organisation_id, user_id):
        raise Conflict(
            "The organisation needs an owner who can sign in; make another member one before.", code="last_owner"
        )


def _above() -> Forbidden:
    return Forbidden("You cannot give or take a role that may do more than you.", code="beyond_own_role")


def _gone() -> NotFound:
    return NotFound("This invitation was used, has expired or was taken back; ask for another.", code="link_not_found")
