"""Users, memberships, sign-in sessions and account links as values. Times are milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["owner", "admin", "member", "viewer"]
ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "member", "viewer")
"""Of a user in an organisation, from the one that may do most to the one that may do least."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in.

    Attributes:
        operator: Whether the person operates the installation, whatever the roles in organisations.
        disabled_at: Since when the user cannot sign in.
    """

    id: str
    email: str
    name: str
    picture: str | None
    locale: str | None
    time_zone: str | None
    operator: bool
    disabled_at: int | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Membership:
    """An organisation that a user belongs to, and the role there."""

    organisation_id: str
    slug: str
    name: str
    role: Role
    joined_at: int


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A browser in which a user is signed in, without its secret.

    Attributes:
        address: Where the sign-in came from.
        user_agent: What the browser called itself, shortened.
    """

    id: str
    user_id: str
    created_at: int
    last_used_at: int
    address: str
    user_agent: str


Purpose = Literal["first_owner", "password"]


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A link that works once: it makes the account of the first owner, or sets a user's password.

    Attributes:
        user_id: Whose password it sets; `None` where it makes the account.
        organisation_id: The organisation that the new account owns; `None` where it sets a password.
    """

    id: str
    purpose: Purpose
    user_id: str | None
    organisation_id: str | None
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A user as a member of an organisation."""

    user: User
    role: Role
    joined_at: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link by which a user becomes a member of an organisation, once.

    Attributes:
        email: The only e-mail that it is for; `None` where the link is all that is needed.
        invited_by: The id of the user or key that made it.
    """

    id: str
    organisation_id: str
    role: Role
    email: str | None
    invited_by: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class PersonalAccessToken:
    """A personal access token, without its secret.

    Attributes:
        organisation_id: Where it acts; `None` for the whole installation, of an operator.
        hint: The last four characters of the secret, so that a person can distinguish tokens.
    """

    id: str
    user_id: str
    organisation_id: str | None
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    last_used_at: int | None

    def usable(self, now: int) -> bool:
        """True until the token expires. A revoked token is not stored any more."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user as found by a credential.

    Attributes:
        credential: The id of the session, or of the token.
    """

    user: User
    memberships: tuple[Membership, ...]
    credential: str
