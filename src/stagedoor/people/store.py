"""The tables and statements of users and of their memberships."""

from __future__ import annotations

from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from stagedoor.people.nouns import Member, Membership, Role, User
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of
from stagedoor.tenancy.store import organisations

users = Table(
    "users",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("picture", Text, nullable=True),
    Column("locale", String(35), nullable=True),
    Column("time_zone", String(64), nullable=True),
    Column("operator", Boolean, nullable=False),
    Column("disabled_at", BigInteger, nullable=True),
    Column("password_hash", Text, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Index("ix_memberships_organisation_id", "organisation_id", "user_id"),
)

_NOT_SHOWN: Final = "password_hash"


def insert_user(tx: Transaction, user: User) -> bool:
    """False when another user has the e-mail."""
    try:
        with tx.savepoint():
            tx.execute(insert(users).values(values_of(user)))
    except IntegrityError:
        return False
    return True


def find_user(tx: Transaction, reference: str) -> User | None:
    """The user with this id or e-mail."""
    row = tx.execute(select(users).where((users.c.id == reference) | (users.c.email == reference))).first()
    return None if row is None else user_of(row)


def list_users(tx: Transaction, *, after: str | None, limit: int) -> list[User]:
    query = select(users).order_by(users.c.id)
    if after is not None:
        query = query.where(users.c.id > after)
    return [user_of(row) for row in tx.execute(query.limit(limit))]


def count_users(tx: Transaction) -> int:
    return tx.execute(select(func.count()).select_from(users)).scalar() or 0


def update_user(tx: Transaction, user: User) -> None:
    tx.execute(update(users).where(users.c.id == user.id).values(values_of(user)))


def user_with_password(tx: Transaction, email: str) -> tuple[User, str | None] | None:
    """The user with this e-mail and the hash of the password, if there is one."""
    row = tx.execute(select(users).where(users.c.email == email)).first()
    return None if row is None else (user_of(row), row.password_hash)


def password_of(tx: Transaction, user_id: str) -> str | None:
    """The hash of the user's password."""
    return tx.execute(select(users.c.password_hash).where(users.c.id == user_id)).scalar()


def set_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    tx.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def insert_membership(tx: Transaction, user_id: str, organisation_id: str, role: Role, now: int) -> None:
    values = {"user_id": user_id, "organisation_id": organisation_id, "role": role, "joined_at": now}
    tx.execute(insert(memberships).values(values))


def delete_membership(tx: Transaction, user_id: str, organisation_id: str) -> None:
    tx.execute(delete(memberships).where(_membership(user_id, organisation_id)))


def role_of(tx: Transaction, user_id: str, organisation_id: str) -> Role | None:
    """The role of a user in an organisation; `None` where the user is no member."""
    found = tx.execute(select(memberships.c.role).where(_membership(user_id, organisation_id))).scalar()
    return cast("Role | None", found)


def count_members(tx: Transaction, organisation_id: str) -> int:
    query = select(func.count()).where(memberships.c.organisation_id == organisation_id)
    return tx.execute(query).scalar() or 0


def find_member(tx: Transaction, organisation_id: str, user_id: str) -> Member | None:
    row = tx.execute(_members().where(_membership(user_id, organisation_id))).first()
    return None if row is None else _member(row)


def members_of(tx: Transaction, organisation_id: str, *, after: str | None, limit: int) -> list[Member]:
    query = _members().where(memberships.c.organisation_id == organisation_id).order_by(users.c.id)
    if after is not None:
        query = query.where(users.c.id > after)
    return [_member(row) for row in tx.execute(query.limit(limit))]


def has_owner_but(tx: Transaction, organisation_id: str, user_id: str) -> bool:
    """Whether a user who can sign in, and is not this one, owns the organisation."""
    query = _members().where(
        memberships.c.organisation_id == organisation_id,
        memberships.c.role == "owner",
        users.c.id != user_id,
        users.c.disabled_at.is_(None),
    )
    return tx.execute(query.limit(1)).first() is not None


def set_role(tx: Transaction, user_id: str, organisation_id: str, role: Role) -> None:
    tx.execute(update(memberships).where(_membership(user_id, organisation_id)).values(role=role))


def memberships_of(tx: Transaction, user_id: str) -> tuple[Membership, ...]:
    """The organisations of a user, the one that was joined first before the others."""
    query = (
        select(memberships, organisations.c.slug, organisations.c.name)
        .join(organisations, organisations.c.id == memberships.c.organisation_id)
        .where(memberships.c.user_id == user_id)
        .order_by(memberships.c.joined_at, memberships.c.organisation_id)
    )
    return tuple(
        Membership(row.organisation_id, row.slug, row.name, cast("Role", row.role), row.joined_at)
        for row in tx.execute(query)
    )


def _members() -> Select[Any]:
    columns = (users, memberships.c.role.label("role"), memberships.c.joined_at.label("joined_at"))
    return select(*columns).join(memberships, memberships.c.user_id == users.c.id)


def _member(row: Row[Any]) -> Member:
    values = record(row)
    role, joined_at = values.pop("role"), values.pop("joined_at")
    del values[_NOT_SHOWN]
    return Member(User(**values), role, joined_at)


def _membership(user_id: str, organisation_id: str) -> ColumnElement[bool]:
    return (memberships.c.user_id == user_id) & (memberships.c.organisation_id == organisation_id)


def user_of(row: Row[Any]) -> User:
    """The user that a row is."""
    values = record(row)
    del values[_NOT_SHOWN]
    return User(**values)
