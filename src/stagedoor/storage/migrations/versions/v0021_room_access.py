"""Who may join a room as a user, and with which role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "room_access",
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("livekit_room", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("users", sa.Text(), nullable=False),
        sa.Column("emails", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_room_access_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", "livekit_room", name=op.f("pk_room_access")),
    )
    op.create_table(
        "room_roles",
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("livekit_room", sa.Text(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_room_roles_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_room_roles_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", "livekit_room", "user_id", name=op.f("pk_room_roles")),
    )
    op.create_index("ix_room_roles_user_id", "room_roles", ["user_id"])
