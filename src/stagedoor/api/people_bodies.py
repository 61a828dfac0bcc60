"""Users on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from stagedoor.api.wire import NO_CONTROLS, NO_NUL, ResponseModel, when
from stagedoor.kernel.clock import rfc3339
from stagedoor.people.nouns import Membership, User

Email = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=NO_CONTROLS)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
"""Longer than a password may be, so that one that is too long is explained; none is repeated in an answer."""

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]


class UserBody(ResponseModel):
    """A person who signs in."""

    id: str = Field(description="Identifier.", examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    email: str = Field(description="E-mail, in lower case; the user signs in with it.", examples=["ada@example.com"])
    name: str = Field(description="Name for people.", examples=["Ada Lovelace"])
    picture: str | None = Field(
        description="URL of a picture; null for none.", examples=["https://www.example.com/ada.jpg"]
    )
    locale: str | None = Field(description="Language; null for the browser's.", examples=["de-AT"])
    time_zone: str | None = Field(description="Time zone; null for the browser's.", examples=["Europe/Vienna"])
    operator: bool = Field(description="Whether the user operates the installation.", examples=[False])
    disabled_at: str | None = Field(
        description="Since when the user cannot sign in; null for a user who can.",
        examples=["2026-01-31T12:00:00.000Z"],
    )
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


def user_body(user: User) -> UserBody:
    """The user on the wire."""
    return UserBody(
        id=user.id,
        email=user.email,
        name=user.name,
        picture=user.picture,
        locale=user.locale,
        time_zone=user.time_zone,
        operator=user.operator,
        disabled_at=when(user.disabled_at),
        created_at=rfc3339(user.created_at),
        updated_at=rfc3339(user.updated_at),
    )


class MembershipBody(ResponseModel):
    """An organisation that a user belongs to."""

    id: str = Field(description="Id of the organisation.", examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    slug: str = Field(description="Slug of the organisation.", examples=["acme"])
    name: str = Field(description="Name of the organisation.", examples=["Acme"])
    role: str = Field(
        description="Role of the user there: `owner`, `admin`, `member` or `viewer`.", examples=["member"]
    )


def membership_body(membership: Membership) -> MembershipBody:
    """The membership on the wire."""
    return MembershipBody(
        id=membership.organisation_id, slug=membership.slug, name=membership.name, role=membership.role
    )
